"""Refusals of the archive."""

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


class ImportRunning(Conflict):
    code = "import_running"
    text = Text("这个星球正在导入，请等它结束。", "An import of this circle is running; wait for its end.")


on_constraint("uq_tags_circle_id_path", TagExists)
on_constraint("uq_imports_open", ImportRunning)
