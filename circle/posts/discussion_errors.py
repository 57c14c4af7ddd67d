"""Refusals around what is said below a post."""

from circle.kernel.errors import Conflict, Forbidden, on_constraint
from circle.kernel.text import Text


class TooManyReactions(Conflict):
    code = "too_many_reactions"
    text = Text("每个主题最多 {most} 种表情。", "At most {most} different reactions here.")


class EditTooLate(Conflict):
    code = "edit_too_late"
    text = Text("发布超过 24 小时，不能再修改。", "After 24 hours a comment stands as it is.")


class AnonymousNotAllowed(Forbidden):
    code = "anonymous_not_allowed"
    text = Text("这个星球不允许匿名提问。", "This circle does not take anonymous questions.")


class NotAQuestion(Conflict):
    code = "not_a_question"
    text = Text("这个主题不是提问。", "This post is not a question.")


class NotAsked(Forbidden):
    code = "not_asked"
    text = Text("只有被提问者或星主可以回答。", "Only the person asked or the owner may answer.")


class AlreadyAnswered(Conflict):
    code = "already_answered"
    text = Text("这个问题已有回答。", "This question has an answer already.")


class NotAnswered(Conflict):
    code = "not_answered"
    text = Text("这个问题还没有回答。", "This question has no answer yet.")


class AlreadyReported(Conflict):
    code = "already_reported"
    text = Text("你已举报过，正在处理。", "You have reported this; it is being looked at.")


class OwnContent(Conflict):
    code = "own_content"
    text = Text("不能对自己发布的内容这样做。", "This can't be done with what you wrote yourself.")


class AlreadyResolved(Conflict):
    code = "already_resolved"
    text = Text("这个举报已处理。", "This report was dealt with already.")


class WordListed(Conflict):
    code = "word_listed"
    text = Text("这个词已在列表中。", "This word is on the list already.")


class TooManyWords(Conflict):
    code = "too_many_words"
    text = Text("最多 {most} 个词。", "At most {most} words.")


on_constraint("uq_answers_post_id", AlreadyAnswered)
on_constraint("uq_reports_open", AlreadyReported)
on_constraint("uq_blocked_words_circle_id_word", WordListed)
