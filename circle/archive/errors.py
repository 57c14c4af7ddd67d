"""Refusals of the archive."""

from circle.archive.shelf_models import MAX_PINS
from circle.kernel.errors import Conflict, Forbidden, on_constraint
from circle.kernel.text import Text


class TagExists(Conflict):
    """`tag_id` is the tag that has the path already: the two can be merged."""

    code = "tag_exists"
    text = Text("已有同名标签，可以合并。", "There is a tag of this name; the two can be merged.")


class TagInside(Conflict):
    code = "tag_inside"
    text = Text("不能移入它自己的下级标签。", "A tag can't go below itself.")


class TooManyTags(Conflict):
    code = "too_many_tags"
    text = Text("一篇内容最多 {most} 个标签。", "A post has at most {most} tags.")


class ColumnLocked(Forbidden):
    """`required_tier` is the tier that opens it; None where any membership would."""

    code = "column_locked"
    text = Text("你的会员等级不能阅读这个专栏。", "Your membership does not open this column.")


class TooManyPins(Conflict):
    code = "too_many_pins"
    text = Text(f"一个星球最多置顶 {MAX_PINS} 篇。", f"A circle has at most {MAX_PINS} pins.")


class FolderExists(Conflict):
    code = "folder_exists"
    text = Text("已有同名的收藏夹。", "There is a folder of this name.")


class TooManyFolders(Conflict):
    code = "too_many_folders"
    text = Text("最多 {most} 个收藏夹。", "At most {most} folders.")


class NotAPath(Conflict):
    code = "not_a_path"
    text = Text("这个专栏不是阅读路线。", "This column is not a reading path.")


class ImportRunning(Conflict):
    code = "import_running"
    text = Text("这个星球正在导入，请等它结束。", "An import of this circle is running; wait for its end.")


class ImportsUsedUp(Conflict):
    code = "imports_used_up"
    text = Text(
        "这个星球 24 小时内的导入已达上限，请明天再试。",
        "This circle has imported as much as it may within 24 hours; try again tomorrow.",
    )


class CircleInUse(Conflict):
    code = "circle_in_use"
    text = Text(
        "已有人加入或付款，整个星球的导入不能再撤销。",
        "Somebody has joined or paid: the import of a whole circle can't be undone any more.",
    )


class CircleNotEmpty(Conflict):
    code = "circle_not_empty"
    text = Text(
        "完整导出只能导入到一个空的星球。", "The export of a circle comes into an empty circle only: open a new one."
    )


class ExportRunning(Conflict):
    code = "export_running"
    text = Text("你在这个星球的导出还没有完成。", "An export of yours from this circle is not finished yet.")


on_constraint("uq_tags_circle_id_path", TagExists)
on_constraint("pk_post_pins", TooManyPins)
on_constraint("ck_post_pins_slot", TooManyPins)
on_constraint("uq_bookmark_folders_user_id_name", FolderExists)
on_constraint("uq_imports_open", ImportRunning)
on_constraint("uq_exports_open", ExportRunning)
