# SPDX-License-Identifier: Apache-2.0
"""The unmodified Codex CLI takes the acceptance tour, direct and through the gateway.

Without the gateway (CCR_DIRECT=1) two direct runs are compared with each other.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import codex_cli_bin

import compare
from gateway import DIRECT, Gateway, needs_gateway, provider
from mocks import Mock

CODEX = pathlib.Path(codex_cli_bin.__file__).parent / "bin/codex"
MODEL = "mock-model"

CONFIG = """
model = "{model}"
model_provider = "ccr"
approval_policy = "never"
sandbox_mode = "danger-full-access"
[analytics]
enabled = false
[model_providers.ccr]
name = "ccr"
base_url = "{url}/v1"
env_key = "CCR_KEY"
wire_api = "responses"
{more}
"""


class Codex(unittest.TestCase):
    def setUp(self):
        # Codex refuses its helper aliases in a home inside TMPDIR, so that is a sibling of the home. The names are
        # the same in every run of a test: they are part of the prompts.
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="ccr-codex.")))

    def tour(self, url, model=MODEL, more="", proxy=None):
        """Run `codex exec` once; returns what it printed, its messages, and the files that it left."""
        home, work, temporary = (self.folder / name for name in ("home", "work", "tmp"))
        for path in (home, work, temporary):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()
        (home / "config.toml").write_text(CONFIG.format(model=model, url=url, more=more))
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "CODEX_HOME": str(home),
            "TMPDIR": str(temporary),
            "CCR_KEY": "sk-client",
            "NO_COLOR": "1",
            "NO_PROXY": "127.0.0.1,localhost",
            "RUST_LOG": "error",
        }
        if proxy:
            environment |= {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "ALL_PROXY": proxy}
        done = subprocess.run(
            [str(CODEX), "exec", "--skip-git-repo-check", "-C", str(work), "take the tour"],
            env=environment,
            cwd=work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return done.stdout.strip(), done.stderr, sorted(p.name for p in work.iterdir())

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
