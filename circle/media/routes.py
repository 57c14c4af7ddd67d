"""HTTP of media."""

from uuid import UUID

from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork, Units
from circle.media import errors, schemas
from circle.media.services import links, uploads
from circle.web.limits import Limit
from circle.web.routes import Routes

routes = Routes("media", "Files: uploaded straight to the storage, fetched by short-lived links.")

UPLOAD = (Limit("upload", "200/hour", "user"), Limit("upload", "20000/hour", "all"))
COMPLETE = (Limit("upload_complete", "1000/hour", "user"),)
_REFUSED = (
    errors.WrongContent,
    errors.WrongSize,
    errors.UnreadableImage,
    errors.TooManyPixels,
    errors.ProcessingFailed,
)


@routes.post(
    "/media",
    body=schemas.MediaIn,
    answer=schemas.NewMediaOut,
    status=201,
    limits=UPLOAD,
    errors=(errors.TooMuchUnattached,),
)
def start_upload(uow: UnitOfWork, caller: Caller, body: Json) -> Json:
    """Announce a file and get the signed form that uploads it.

    Send `fields` and then the file, as `file`, in a multipart POST to `url` within five minutes; then complete it.
    """
    return uploads.start_upload(uow, caller, **body)


@routes.post(
    "/media/<uuid:media_id>/complete",
    answer=schemas.MediaOut,
    steps=True,
    limits=COMPLETE,
    errors=(errors.NotUploaded, *_REFUSED, errors.StorageUnavailable),
)
def complete_upload(units: Units, caller: Caller, media_id: UUID) -> Json:
    """Say that the file is uploaded; it is checked by its content.

    May be called again, to see whether processing has ended.
    """
    return uploads.complete_upload(units, caller, media_id)


@routes.get(
    "/media/<uuid:media_id>",
    query=schemas.SizeArgs,
    redirects=True,
    status=302,
    errors=(errors.NotReady, *_REFUSED),
)
def get_media(uow: UnitOfWork, caller: Caller, media_id: UUID, query: Json) -> str:
    """Get a link of five minutes to a file or image.

    For its owner, and for whoever may read what it is attached to. `size` picks a smaller version of an image.
    """
    return links.link(uow, caller, media_id, size=query["size"])
