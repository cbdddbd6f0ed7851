#include "core/transport/name_lookup.hpp"

#include <dlfcn.h>
#include <doctest/doctest.h>
#include <netdb.h>

#include <atomic>
#include <string_view>

#include "core/transport/server.hpp"
#include "tests/transport/client.hpp"

using namespace moonwire;
using namespace moonwire::test;
using transport::NameLookup;

namespace {

std::atomic<bool> answers{false};            // for names that end in .slow.test
std::atomic<int> looking_up{0}, started{0};  // of those

}  // namespace

/// In front of the system's own, for this whole test binary.
extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                           addrinfo** found) {
    if (host && std::string_view(host).ends_with(".slow.test")) {
        ++looking_up;
        ++started;
        answers.wait(false);
        --looking_up;
        return EAI_AGAIN;
    }
    static const auto real =
        reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
    return real(host, service, hints, found);
}

namespace {

struct Fixture {
    Fixture() {
        answers = false;
        started = 0;
        reactors.start();
    }
    ~Fixture() {
        names.stop();
        release();
        reactors.stop();
    }
    /// Lets the slow ones go, and waits until they have gone.
    void release() {
        answers = true;
        answers.notify_all();
        CHECK(wait_until([] { return looking_up == 0; }));
    }
    void find(const std::string& host, std::weak_ptr<const void> wanted) {
        reactors.reactor(0).post([this, host, wanted] {
            names.find(host, 80, wanted, [this](boost::system::error_code error, auto found) {
                if (reactors.reactor(0).is_current()) error ? ++failed : ++answered;
                addresses += static_cast<int>(found.size());
            });
        });
    }

    transport::TransportServer reactors{{}, 1};
    NameLookup names{reactors.reactor(0)};
    std::shared_ptr<const int> wanted = std::make_shared<int>(1);
    std::atomic<int> answered{0}, failed{0}, addresses{0};
};

}  // namespace

TEST_CASE("a slow name holds up neither the others nor the reactor") {
    Fixture f;
    f.find("a.slow.test", f.wanted);
    CHECK(wait_until([] { return looking_up == 1; }));
    f.find("localhost", f.wanted);
    CHECK(wait_until([&] { return f.answered == 1; }));
    CHECK(f.addresses > 0);
    CHECK(f.failed == 0);
    f.release();
    CHECK(wait_until([&] { return f.failed == 1; }));
}

TEST_CASE("more names than threads wait for their turn, unless nobody wants them any more") {
    Fixture f;
    for (int i = 0; i < NameLookup::kThreads; ++i) f.find("a.slow.test", f.wanted);
    CHECK(wait_until([] { return looking_up == NameLookup::kThreads; }));
    f.find("b.slow.test", std::make_shared<int>(1));
    f.find("localhost", f.wanted);
    f.release();
    CHECK(wait_until([&] { return f.answered == 1; }));
    CHECK(wait_until([&] { return f.failed == NameLookup::kThreads; }));
    CHECK(started == NameLookup::kThreads);
}

TEST_CASE("stopping leaves behind the names that are being looked up") {
    Fixture f;
    for (int i = 0; i < NameLookup::kThreads + 1; ++i) f.find("a.slow.test", f.wanted);
    CHECK(wait_until([] { return looking_up == NameLookup::kThreads; }));
    f.names.stop();
    f.release();
    CHECK(started == NameLookup::kThreads);
    CHECK(f.failed == 0);
}
