"""The public page of a certificate: whoever scans its code sees whether it is valid."""

from flask import Blueprint, Response, abort, request

from circle.checkins import certificates
from circle.kernel.errors import NotFound
from circle.kernel.text import Text
from circle.web.limits import Limit
from circle.web.pages import page
from circle.web.system import system

_SAYS = {
    "title": Text("结营证书", "Certificate of completion"),
    "valid": Text("证书有效", "This certificate is valid"),
    "revoked": Text("证书已被撤销", "This certificate was revoked"),
    "holder": Text("姓名", "Holder"),
    "camp": Text("打卡营", "Camp"),
    "circle": Text("星球", "Circle"),
    "days": Text("打卡天数", "Days done"),
    "term": Text("营期", "Term"),
    "issued": Text("颁发日期", "Issued on"),
    "code": Text("编号", "Number"),
    "download": Text("下载", "Download"),
}
_LIMIT = Limit("certificate_page", "120/minute", "ip")


def certificates_blueprint() -> Blueprint:
    """Serve `/certificates/<code>`."""
    blueprint = Blueprint("certificates", __name__, url_prefix="/certificates", template_folder="templates")

    @blueprint.get("/<code>")
    def show(code: str) -> Response:
        at = system()
        at.limiter.hit(_LIMIT, request.remote_addr or "")
        try:
            with at.units.read() as uow:
                card = certificates.certificate(uow, code)
        except NotFound:
            abort(404)
        return page("certificate.html", _SAYS, certificate=card)

    return blueprint
