"""The clock's table. Every row is a sweep for due work, so running one twice, late or not at all is harmless."""

from circle.kernel.schedule import Scheduled

SCHEDULE: tuple[Scheduled, ...] = (
    Scheduled("outbox.relay", 5, "Messages whose ring was lost, whose retry is due or whose quiet hours are over."),
    Scheduled("media.process", 15, "Completed uploads whose ring was lost or whose retry is due."),
    Scheduled("media.sweep", 600, "Objects that nothing shows, and uploads that were processed."),
    Scheduled("memberships.expire", 60, "Members whose last access has ended, and seats that nobody covers any more."),
    Scheduled("memberships.release_seats", 60, "Seats held for somebody who did not pay in time."),
    Scheduled("billing.sandbox", 5, "The sandbox's pending charges and webhooks."),
    Scheduled("billing.inbox", 15, "Notifications whose ring was lost."),
    Scheduled("billing.resolve", 30, "Payments without an answer."),
    Scheduled("billing.refund", 30, "Refunds whose ring was lost, or without an answer."),
    Scheduled("billing.expire_checkouts", 60, "Checkouts that nobody paid in time."),
    Scheduled("billing.lapse", 60, "Subscriptions whose term is over."),
    Scheduled("billing.release", 600, "Creators' money whose refund window is over."),
    Scheduled("posts.publish_due", 15, "Scheduled posts whose time has come."),
    Scheduled("questions.refund_overdue", 60, "Paid questions that nobody answered within 72 hours."),
    Scheduled("posts.purge_trash", 3600, "Posts that have lain in the trash for 30 days."),
    Scheduled("archive.run_imports", 60, "Uploaded archives whose ring was lost or whose worker is gone."),
    Scheduled("homework.remind", 60, "Members who owe homework, and peers who owe a review."),
    Scheduled("homework.close_peer_reviews", 60, "Peer reviews whose time is over; their works fall to teachers."),
    Scheduled("checkins.sweep", 60, "Streaks that broke when a camp's day ended."),
    Scheduled("checkins.tally", 30, "Ranks of large camps."),
    Scheduled("checkins.remind", 60, "Camp days that end soon."),
    Scheduled("checkins.warn", 600, "Members who missed two of the last three days."),
    Scheduled("checkins.render", 30, "Certificates whose ring was lost or whose retry is due."),
    Scheduled("checkins.replan", 3600, "Camp days whose holidays were announced."),
    Scheduled("housekeeping.tidy", 3600, "Rows that nobody will ask for again."),
)
