"""Refusals around a circle and its offers."""

from circle.kernel.errors import Conflict, on_constraint
from circle.kernel.text import Text


class SlugTaken(Conflict):
    code = "slug_taken"
    text = Text("这个网址名已被使用。", "This short name is taken.")


class RankTaken(Conflict):
    code = "rank_taken"
    text = Text("已有同级别的会员等级。", "Another tier of this circle has this rank.")


class SeatsInUse(Conflict):
    code = "seats_in_use"
    text = Text("已有 {taken} 个名额被占用，不能少于此数。", "{taken} seats are taken; the cap can't be lower.")


class TierArchived(Conflict):
    code = "tier_archived"
    text = Text("这个会员等级已下架。", "This tier is archived.")


class TooManyTiers(Conflict):
    code = "too_many_tiers"
    text = Text("会员等级太多，请先下架一些。", "There are too many tiers; archive some first.")


class TooManyPrices(Conflict):
    code = "too_many_prices"
    text = Text("价格方案太多，请先下架一些。", "There are too many prices; archive some first.")


on_constraint("uq_circles_slug", SlugTaken)
on_constraint("uq_tiers_circle_id_rank", RankTaken)
