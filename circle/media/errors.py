"""Refusals of media. What is wrong with an upload itself is a `ContentRefused`: the row keeps its code."""

from circle.kernel.errors import Conflict, Invalid, Unavailable
from circle.kernel.text import Text


class StorageUnavailable(Unavailable):
    code = "storage_unavailable"
    text = Text("暂时无法访问文件存储。", "File storage is unavailable for the moment.")


class NotUploaded(Conflict):
    code = "not_uploaded"
    text = Text("文件还没有上传。", "The file has not been uploaded yet.")


class NotReady(Conflict):
    code = "not_ready"
    text = Text("文件正在处理，请稍后再试。", "The file is being processed; try again shortly.")


class TooMuchUnattached(Conflict):
    code = "too_much_unattached"
    text = Text(
        "未使用的上传文件过多，请先使用或等待清理。", "Too many uploads are not used yet; use them or wait a day."
    )


class StorageFull(Conflict):
    code = "storage_full"
    text = Text(
        "星球的附件空间已满，请先删除一些附件。", "The circle's attachments take all the space that it may have."
    )


class ContentRefused(Invalid):
    """The uploaded bytes are refused for good: the row is `rejected` and says so to whoever asks again."""

    code = "content_refused"
    text = Text("文件内容不被接受。", "The content of this file is not accepted.")
    keeps_changes = True


class WrongContent(ContentRefused):
    code = "wrong_content"
    text = Text("文件内容与声明的类型不符。", "The content is not what its type says.")


class WrongSize(ContentRefused):
    code = "wrong_size"
    text = Text("文件大小与声明的不符。", "The size is not what was announced.")


class UnreadableImage(ContentRefused):
    code = "unreadable_image"
    text = Text("图片已损坏，无法读取。", "The image is damaged and can't be read.")


class TooManyPixels(ContentRefused):
    code = "too_many_pixels"
    text = Text("图片的像素过多。", "The image has too many pixels.")


class ProcessingFailed(ContentRefused):
    code = "processing_failed"
    text = Text("文件处理失败，请换一个文件。", "This file could not be processed; try another one.")


_REFUSALS = {
    refusal.code: refusal for refusal in (WrongContent, WrongSize, UnreadableImage, TooManyPixels, ProcessingFailed)
}


def refusal(code: str | None) -> ContentRefused:
    """Return the refusal that a rejected row keeps."""
    return _REFUSALS.get(code or "", ContentRefused)()
