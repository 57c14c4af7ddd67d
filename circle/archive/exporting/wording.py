"""The words that exports add to what people wrote, in the language of whoever takes it along."""

from circle.kernel.text import Language, Text

WORDS = {
    "answer": Text("回答", "Answer"),
    "comments": Text("评论", "Comments"),
    "brief": Text("作业要求", "Brief"),
    "version": Text("第 {number} 次提交", "Version {number}"),
    "review": Text("点评", "Review"),
    "score": Text("得分：{score}", "Score: {score}"),
    "note": Text("老师点评", "Teacher's note"),
    "made_up": Text("补打卡", "made up"),
    "contents": Text("目录", "Contents"),
    "posts": Text("内容", "Posts"),
    "homework": Text("作业", "Homework"),
    "check-ins": Text("打卡", "Check-ins"),
    "my_comments": Text("我的评论", "My comments"),
    "on_post": Text("所在内容", "On a post"),
    "untitled": Text("无题", "Untitled"),
    "about": Text(
        "《{circle}》导出于 {at}，包含你能阅读的全部内容，以及你写的作业、打卡和评论。共 {count} 篇。",
        "“{circle}”, exported {at}: all that you may read there, and your homework, check-ins and comments."
        " {count} texts.",
    ),
    "anonymous": Text("匿名", "Anonymous"),
    "deleted": Text("已删除", "Deleted"),
}


def say(word: str, language: Language, **values: object) -> str:
    return WORDS[word].say(language, **values)
