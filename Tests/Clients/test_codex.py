# SPDX-License-Identifier: Apache-2.0
"""The unmodified Codex CLI takes the acceptance tour, direct and through the gateway.

Without the gateway (CCR_DIRECT=1) two direct runs are compared with each other.
"""

import contextlib
import pathlib
import shutil
import tempfile
import unittest

import compare
from agents import Codex as Client
from gateway import DIRECT, Gateway, needs_gateway, provider
from mocks import Mock

MODEL = "mock-model"


class Codex(unittest.TestCase):
    def setUp(self):
        # The names of the folders are the same in every run of a test: they are part of the prompts.
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="ccr-codex.")))

    def tour(self, url, model=MODEL, more="", proxy=None):
        """Run `codex exec` once; returns what it printed, its messages, and the files that it left."""
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        client = Client(self.folder, url, model, more)
        done = client.exec("take the tour", proxy=proxy)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return done.stdout.strip(), done.stderr, sorted(p.name for p in client.work.iterdir())

    def run_tour(self, through_gateway, **more):
        """A tour against a fresh mock; returns its result and the model requests that the mock logged."""
        with contextlib.ExitStack() as stack:
            mock = stack.enter_context(Mock("codexmock", "tour", self.folder))
            url = mock.url
            if through_gateway:
                url = stack.enter_context(
                    Gateway(Providers=[provider("mock", mock.url + "/v1", [MODEL])])
                ).url
            result = self.tour(url, proxy=mock.url, **more)
        return result, mock.requests("/responses")

    def test_the_tour_is_the_same_for_client_and_upstream(self):
        (answer, _, files), direct = self.run_tour(through_gateway=False)
        self.assertEqual((answer, files), ("Tour complete.", ["mock_patch.txt"]))
        self.assertEqual(len(direct), 6)
        (answer, _, files), other = self.run_tour(through_gateway=not DIRECT)
        self.assertEqual((answer, files), ("Tour complete.", ["mock_patch.txt"]))
        compare.assert_equal(self, direct, other)

    @needs_gateway
    def test_the_gateways_model_catalogue_is_understood(self):
        with Mock("codexmock", "tour", self.folder) as mock:
            with Gateway(Providers=[provider("mock", mock.url + "/v1", [MODEL])]) as gateway:
                catalogue = f'model_catalog_url = "{gateway.url}/v1/models"'
                answer, messages, files = self.tour(gateway.url, more=catalogue, proxy=mock.url)
        self.assertEqual((answer, files), ("Tour complete.", ["mock_patch.txt"]))
        self.assertNotIn("failed to decode models", messages)
        self.assertNotIn("Model metadata for", messages)

    @needs_gateway
    def test_codexs_own_model_names_are_mapped(self):
        with Mock("codexmock", "tour", self.folder) as mock:
            config = {
                "Providers": [provider("mock", mock.url + "/v1", [MODEL])],
                "Frontend": {"codex": {"modelMappings": {"default": f"mock,{MODEL}"}}},
            }
            with Gateway(**config) as gateway:
                answer, _, _ = self.tour(gateway.url, model="gpt-unheard-of", proxy=mock.url)
        self.assertEqual(answer, "Tour complete.")
        self.assertEqual({body["model"] for _, _, _, body in mock.requests("/responses")}, {MODEL})

    @needs_gateway
    def test_websockets_fall_back_to_http_at_once(self):
        with Mock("codexmock", "tour", self.folder) as mock:
            with Gateway(Providers=[provider("mock", mock.url + "/v1", [MODEL])]) as gateway:
                answer, messages, _ = self.tour(
                    gateway.url, more="supports_websockets = true", proxy=mock.url
                )
        self.assertEqual(answer, "Tour complete.")
        self.assertNotIn("Reconnecting", messages)
        self.assertEqual(len(mock.requests("/responses")), 6)


if __name__ == "__main__":
    unittest.main()
