# SPDX-License-Identifier: Apache-2.0
"""The soak in short: tokens of a second under a steady load, and the refresher killed meanwhile."""

import unittest

from soak import soak, verdict


class Soak(unittest.TestCase):
    def test_tokens_of_a_second_fail_no_request(self):
        found = soak(6)
        self.assertEqual(verdict(found), [], found)
        self.assertGreaterEqual(found["refreshes"], 4)

    def test_a_refresher_that_is_killed_under_load_fails_no_request(self):
        kills = iter([True, False, True, False, False])

        def disturb(stack):
            if next(kills, False):
                stack.kill_child("refresher")

        found = soak(5, disturb, crashes=True)
        # A token may end while the refresher starts: requests wait for the next one, none fails.
        self.assertEqual(set(found["statuses"]), {200}, found)


if __name__ == "__main__":
    unittest.main()
