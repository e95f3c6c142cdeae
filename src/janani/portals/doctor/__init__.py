"""The doctor's portal: a SMART client of the record. He finds her by PHN, reads, and adds in one transaction."""

from janani.portals.doctor import answers, changes, pages, withdrawals

handlers = [*pages.handlers, *changes.handlers, *answers.handlers, *withdrawals.handlers]
