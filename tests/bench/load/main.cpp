// Loads a Socket.IO server on this machine and prints what came of it, as one JSON object. Run by
// tests/bench/run; `load --help` says what it takes.

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cstdio>
#include <exception>

#include "tests/bench/load/events.hpp"
#include "tests/bench/load/options.hpp"
#include "tests/bench/load/scenario.hpp"

namespace {

void raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::string run(const bench::Options& options) {
    SSL_CTX* const tls = options.tls ? SSL_CTX_new(TLS_client_method()) : nullptr;
    const bench::Endpoint endpoint{options.port, tls, options.deflate};
    switch (options.pattern) {
        case bench::Options::Pattern::broadcast: return run_broadcast(options, endpoint);
        case bench::Options::Pattern::request: return run_request(options, endpoint);
        case bench::Options::Pattern::storm: return run_storm(options, endpoint);
        case bench::Options::Pattern::idle: return run_idle(options, endpoint);
    }
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    const bench::Options options = bench::Options::parse(argc, argv);
    bench::epoch();
    raise_descriptor_limit();
    ::prctl(PR_SET_TIMERSLACK, 1);  // nanoseconds: events leave when they are due
    try {
        std::puts(run(options).c_str());
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "load: %s\n", error.what());
        return 1;
    }
}
