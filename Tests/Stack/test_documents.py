# SPDX-License-Identifier: Apache-2.0
"""The generated manual pages, completions and JSON Schema, held against the programs that read them."""

import json
import pathlib
import re
import subprocess
import tempfile

from harness import PROGRAM, ROOT, Case

# Runs under Debian's Python, which has the module: prints the paths of the errors of each instance as JSON.
VALIDATE = """
import json, jsonschema, sys
schema, instances = json.load(sys.stdin)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
print(json.dumps([[e.json_path for e in validator.iter_errors(i)] for i in instances]))
"""

# Completes the words of a command line in bash and prints what is offered.
BASH = """
source "$0"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { :; }
_ccr
printf '%s\\n' "${COMPREPLY[@]}"
"""


def without_comments(text):
    """The JSON in a text with comments and trailing commas."""
    pattern = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
    text = pattern.sub(lambda m: m[0] if m[0].startswith('"') else " ", text)
    return re.sub(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', lambda m: m[1] or "", text)


class Documents(Case):
    @classmethod
    def open_all(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        generator = pathlib.Path(PROGRAM).with_name("ccr-docs")
        subprocess.run([generator, ROOT / "packaging/man", cls.folder], check=True, timeout=20)
        cls.schema = json.loads((cls.folder / "config.schema.json").read_text())

    def run_quietly(self, *command):
        """Run a checker that says nothing when all is well."""
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), f"{command}")

    def faults(self, *instances):
        """The JSON paths at which each instance does not fit the schema."""
        done = subprocess.run(
            ["/usr/bin/python3", "-c", VALIDATE],
            input=json.dumps([self.schema, instances]),
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_manual_pages(self):
        pages = sorted(p.name for p in (self.folder / "man").iterdir())
        self.assertEqual(pages, [p.stem for p in sorted((ROOT / "packaging/man").glob("*.in"))])
        for page in pages:
            path = str(self.folder / "man" / page)
            self.run_quietly("mandoc", "-T", "lint", "-W", "warning", path)
            done = subprocess.run(
                ["man", "--warnings", "-l", path], capture_output=True, text=True, timeout=60,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
            )  # fmt: skip
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertNotIn("@", re.sub(r"\S+@\S+", "", done.stdout), "a placeholder is left")

    def test_completions_parse(self):
        completions = self.folder / "completions"
        self.run_quietly("bash", "-n", str(completions / "ccr.bash"))
        self.run_quietly("zsh", "-n", str(completions / "_ccr"))
        self.run_quietly("fish", "--no-execute", str(completions / "ccr.fish"))

    def offered_by_bash(self, *words):
        script = self.folder / "completions/ccr.bash"
        done = subprocess.run(
            ["bash", "-c", BASH, str(script), *words], capture_output=True, text=True, timeout=20, cwd=ROOT
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def offered_by_fish(self, line):
        script = self.folder / "completions/ccr.fish"
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source {script}; complete -C '{line}'"],
            capture_output=True, text=True, timeout=20, cwd=ROOT, env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        return [row.split("\t")[0] for row in done.stdout.splitlines()]

    def test_completions_offer_what_fits(self):
        cases = (
            ("ccr va", ["validate", "vault"]),
            ("ccr route ", ["explain"]),
            ("ccr route explain --endpoint ch", ["chat"]),
            ("ccr validate --js", ["--json"]),
            ("ccr validate --config READ", ["README.md"]),
            ("ccr help stat", ["status"]),
            ("ccr run --port ", []),
        )
        for line, expected in cases:
            with self.subTest(line):
                self.assertEqual(self.offered_by_bash(*line.split(" ")), expected)
                self.assertEqual(self.offered_by_fish(line), expected)
        # bash hands over what stands at "=" as words of their own.
        self.assertEqual(
            self.offered_by_bash("ccr", "route", "explain", "--client", "=", "co"), ["codex"]
        )  # fmt: skip

    def test_schema_accepts_what_ccr_accepts(self):
        shipped = json.loads(without_comments((ROOT / "packaging/config.json").read_text()))
        provider = {"name": "a", "base_url": "https://h.example/v1", "models": ["m"], "workers": "${N:-2}"}
        more = {
            "$schema": self.schema["$id"],
            "Providers": [provider],
            "PORT": "3456",
            "APIKEY": None,
            "Router": {"default": "a,m", "webSearch": {"enabled": "true"}, "tiers": ["a,m"]},
            "Presets": {"low": {"model": "a,m", "temperature": 0.5}},
            "model_alias": [{"name": "x", "target": "a,m"}],
            "LOG": True,
            "Timeouts": {"drainMs": 0},
        }
        aliases = {"Providers": [provider], "ModelAliases": {"x": "a,m"}}
        for fault in self.faults(shipped, more, aliases):
            self.assertEqual(fault, [])

    def test_schema_refuses_what_is_wrong(self):
        good = {"name": "a", "api_base_url": "https://h.example/v1"}
        cases = (
            ({}, "$"),
            ({"Providers": [{"name": "a"}]}, "$.Providers[0]"),
            ({"Providers": [good], "PROT": 1}, "$"),
            ({"Providers": [good], "PORT": 70000}, "$.PORT"),
            ({"Providers": [good], "PORT": "high"}, "$.PORT"),
            ({"Providers": [good | {"protocol": "gopher"}]}, "$.Providers[0].protocol"),
            ({"Providers": [good | {"models": [1]}]}, "$.Providers[0].models"),
            ({"Providers": [good], "Presets": {"low": {}}}, "$.Presets"),
            ({"Providers": [good], "Router": {"tiers": ""}}, "$.Router"),
        )
        for (instance, place), faults in zip(cases, self.faults(*(c[0] for c in cases)), strict=True):
            with self.subTest(instance=instance):
                self.assertEqual(faults, [place])

    def test_schema_describes_every_key_for_editors(self):
        found = self.schema["properties"]["PORT"]
        self.assertEqual(found["default"], 3456)
        self.assertTrue(found["description"])
        self.assertTrue(self.schema["properties"]["LOG"]["deprecated"])
