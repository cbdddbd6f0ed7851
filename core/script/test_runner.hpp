#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/script/host.hpp"

namespace moonwire::script {

/// What `moonwire test` runs, and how.
struct TestOptions {
    HostOptions host;  // the limits; each app's tests see that app alone
    std::function<std::unique_ptr<plugin::Store>()> make_store;  // for each test
    socketio::ServerOptions server;
    std::vector<std::pair<std::string, std::string>> aliases;  // namespace, target
    std::string filter;  // a Lua pattern: only tests in whose full name it is found; empty: all
    std::chrono::milliseconds test_time{10'000};  // real time of one test; then it fails
};

enum class TestStatus { passed, failed, skipped };

struct TestResult {
    std::string file;
    int line = 0;      // of its `it`
    std::string name;  // with what it is in: "buying > needs a token"
    TestStatus status = TestStatus::passed;
    std::string failure;  // what is wrong, lines of text; empty if nothing is
    double seconds = 0;   // of real time
};

struct TestReport {
    std::vector<TestResult> results;
    std::vector<LoadError> errors;  // of scripts and test files; their tests did not run

    std::size_t count(TestStatus status) const;
    /// For CI systems: a suite a file, an errored case for each load error.
    std::string junit_xml() const;
};

/// Runs the `*_test.lua` of every app, each test against a fresh broker without a transport, on the
/// calling thread. `on_result` is told of each test when it ends.
TestReport run_tests(const TestOptions& options,
                     const std::function<void(const TestResult&)>& on_result);

}  // namespace moonwire::script
