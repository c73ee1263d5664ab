"""The gates find what they are for: each is given a small tree with one fault, and one without."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class GateTest(unittest.TestCase):
    def setUp(self):
        self.tree = self.make_folder()
        self.settings = {}

    def make_folder(self):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        return folder

    def write(self, path, text):
        full = os.path.join(self.tree, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as file:
            file.write(text)

    def borrow(self, path):
        shutil.copyfile(os.path.join(ROOT, path), os.path.join(self.tree, path))

    def gate(self, name):
        env = {k: v for k, v in os.environ.items() if k != "PAGEVAULT_TIDY_CACHE"}
        run = subprocess.run([os.path.join(ROOT, "scripts/gates", name), "--root", self.tree],
                             capture_output=True, text=True, check=False, env={**env, **self.settings})
        if run.returncode == 77:  # Only with another clang-format than the one of .ci/run.
            self.skipTest(run.stdout.strip())
        return run.returncode, run.stdout + run.stderr

    def assert_passes(self, name):
        code, output = self.gate(name)
        self.assertEqual(code, 0, output)

    def assert_fails(self, name, *words):
        code, output = self.gate(name)
        self.assertEqual(code, 1, output)
        for word in words:
            self.assertIn(word, output)


class AnyGate(GateTest):
    def test_finds_nothing_to_check_suspicious(self):
        for name in ("format", "includes", "docs", "headers"):
            with self.subTest(name):
                self.assert_fails(name, "nothing to check")


class Format(GateTest):
    def test_accepts_what_clang_format_writes(self):
        self.borrow(".clang-format")
        self.write("base/src/a.cc", "int twice(int value) { return 2 * value; }\n")
        self.assert_passes("format")

    def test_rejects_anything_else(self):
        self.borrow(".clang-format")
        self.write("base/src/a.cc", "int  twice( int value ){return 2*value;}\n")
        self.assert_fails("format", "base/src/a.cc")


class Includes(GateTest):
    def test_accepts_includes_along_the_arrows(self):
        self.write("base/include/pagevault/base/a.h", "#include <vector>\n")
        self.write("repo/src/b.cc", '#include "b.h"\n#include "pagevault/base/a.h"\n')
        self.write("repo/src/b.h", '#include "pagevault/chunker/c.h"\n')
        self.write("tests/d_test.cc", '#include "pagevault/cli/c.h"\n#include <fcntl.h>\n')
        self.assert_passes("includes")

    def test_rejects_includes_against_the_arrows(self):
        wrong = [("base", "chunker"), ("chunker", "repo"), ("repo", "engine"), ("engine", "cli"),
                 ("pgsupport", "repo"), ("sqlitesupport", "pgsupport"), ("repo", "sqlitesupport")]
        for folder, other in wrong:
            with self.subTest(f"{folder} includes {other}"):
                self.write(f"{folder}/src/a.cc", f'#include "pagevault/{other}/x.h"\n')
                self.assert_fails("includes", f"{folder} must not know {other}")
                os.unlink(os.path.join(self.tree, folder, "src/a.cc"))

    def test_rejects_private_headers_of_other_folders(self):
        self.write("repo/src/inner.h", "\n")
        self.write("engine/src/a.cc", '#include "../../repo/src/inner.h"\n')
        self.assert_fails("includes", "engine/src/a.cc:1", "private")

    def test_rejects_private_headers_in_public_ones(self):
        self.write("repo/src/inner.h", "\n")
        self.write("repo/include/pagevault/repo/a.h", '#include "../../../src/inner.h"\n')
        self.assert_fails("includes", "public header must not need a private one")

    def test_rejects_tests_included_by_the_program(self):
        self.write("tests/samples.h", "\n")
        self.write("engine/src/a.cc", '#include "../../tests/samples.h"\n')
        self.assert_fails("includes", "engine/src/a.cc:1")

    def test_rejects_the_system_outside_base_and_names_the_replacement(self):
        banned = {
            "#include <fcntl.h>": "Dir and File",
            "#include <thread>": "Env::make_executor",
            "int fd = ::open(name, 0);": "Dir and File",
            "int fd = open(name, O_RDONLY);": "Dir and File",
            "auto* f = fopen(name, mode);": "Dir and File",
            "std::ofstream out(name);": "Dir and File",
            "auto t = std::chrono::system_clock::now();": "Env::now_ns",
            "int r = rand();": "Env::random",
            "std::mt19937 rng;": "Env::random",
            "std::thread t(f);": "Env::make_executor",
            "if (memcmp(tag, other, 16) == 0) return;": "sodium_memcmp",
            "std::this_thread::sleep_for(x);": "waiting for the event",
            "std::cout << 1;": "only cli",
            "auto* p = reinterpret_cast<int*>(q);": "base/codec.h",
        }
        for line, replacement in banned.items():
            with self.subTest(line):
                self.write("engine/src/a.cc", f"// A line before.\n{line}\n")
                self.assert_fails("includes", "engine/src/a.cc:2", replacement)

    def test_leaves_base_comments_strings_and_members_alone(self):
        self.write("base/src/a.cc", "#include <fcntl.h>\nint fd = ::open(name, O_RDONLY);\n")
        self.write("engine/src/a.cc", '// rand() and fopen(\nauto s = "std::thread t";\n'
                   "auto f = Pack::open(name); dir->open(name); operand(1);\n"
                   "std::thread::id id;\n")
        self.assert_passes("includes")


class Docs(GateTest):
    def test_accepts_links_that_lead_somewhere(self):
        self.write("docs/a.md", "# The page\n[b](adr/0001-b.md) [c](#the-page) [d](https://x.example)\n")
        self.write("docs/adr/0001-b.md", "[up](../a.md#the-page)\n```\n[code](nowhere.md)\n```\n")
        self.assert_passes("docs")

    def test_rejects_a_dead_link(self):
        self.write("docs/a.md", "[b](b.md)\n")
        self.assert_fails("docs", "docs/a.md", "b.md")

    def test_rejects_a_link_to_no_heading(self):
        self.write("docs/a.md", "# One\n[b](#two)\n")
        self.assert_fails("docs", "no such heading")

    def test_rejects_a_link_out_of_the_repository(self):
        self.write("README.md", "[b](../elsewhere.md)\n")
        self.assert_fails("docs", "elsewhere.md")

    def test_rejects_an_adr_number_used_twice(self):
        self.write("docs/adr/0001-a.md", "\n")
        self.write("docs/adr/0001-b.md", "\n")
        self.assert_fails("docs", "number 0001 is taken")


class Headers(GateTest):
    PROJECT = ("cmake_minimum_required(VERSION 3.25)\nproject(x LANGUAGES CXX)\n"
               "add_library(base base/a.cc)\n"
               "target_sources(base PUBLIC FILE_SET HEADERS BASE_DIRS base/include FILES\n"
               "  base/include/pagevault/base/a.h)\n")

    def make(self, header):
        self.borrow("CMakePresets.json")
        self.write("CMakeLists.txt", self.PROJECT)
        self.write("base/CMakeLists.txt", "include/pagevault/base/a.h\n")
        self.write("base/a.cc", "\n")
        self.write("base/include/pagevault/base/a.h", header)

    def test_accepts_a_header_that_compiles_alone(self):
        self.make("#pragma once\n#include <string>\nstd::string name();\n")
        self.assert_passes("headers")

    def test_rejects_one_that_needs_another_include(self):
        self.make("#pragma once\nstd::string name();\n")
        self.assert_fails("headers", "std")

    def test_rejects_one_that_no_target_lists(self):
        self.make("#pragma once\n")
        self.write("base/include/pagevault/base/b.h", "#pragma once\n")
        self.assert_fails("headers", "b.h: not in the header file set")


class Tidy(GateTest):
    CLEAN = "struct Twice {\n  static int of(int value) { return 2 * value; }\n};\n"

    def make(self, text):
        self.borrow(".clang-tidy")
        self.write("base/src/a.cc", text)
        source = os.path.join(self.tree, "base/src/a.cc")
        self.write("build/ci/compile_commands.json", json.dumps([{
            "directory": self.tree, "file": source,
            "command": f"c++ -std=c++20 -o a.o -c {source}"}]))

    def test_accepts_clean_code_and_remembers_it(self):
        self.make(self.CLEAN)
        self.assert_passes("tidy")
        self.assertEqual(len(os.listdir(os.path.join(self.tree, "build/tidy-cache"))), 1)
        self.assert_passes("tidy")

    def test_remembers_it_for_another_checkout_too(self):
        cache = self.make_folder()
        self.settings = {"PAGEVAULT_TIDY_CACHE": cache}
        for _ in range(2):
            self.make(self.CLEAN)
            self.assert_passes("tidy")
            self.assertEqual(len(os.listdir(cache)), 1)
            self.tree = self.make_folder()
        self.make("struct Twice {\n  static int Of(int Value) { return 2 * Value; }\n};\n")
        self.assert_fails("tidy", "readability-identifier-naming")

    def test_rejects_a_wrong_name_also_after_a_clean_run(self):
        self.make(self.CLEAN)
        self.assert_passes("tidy")
        self.make("struct Twice {\n  static int Of(int Value) { return 2 * Value; }\n};\n")
        self.assert_fails("tidy", "readability-identifier-naming")
        self.assert_fails("tidy", "readability-identifier-naming")

    def test_rejects_a_bug(self):
        self.make("int broken() {\n  int* p = nullptr;\n  return *p;\n}\n")
        self.assert_fails("tidy", "NullDereference")

    def test_rejects_a_source_no_target_compiles(self):
        self.make(self.CLEAN)
        self.write("base/src/b.cc", "\n")
        self.assert_fails("tidy", "base/src/b.cc: no target compiles it")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
