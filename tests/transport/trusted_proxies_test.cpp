#include "core/transport/trusted_proxies.hpp"

#include <doctest/doctest.h>

using namespace moonwire;
using namespace moonwire::transport;

namespace {

/// "address secure" as a request with these headers has them once its proxies were heard.
std::string seen(const std::string& peer, Headers headers) {
    const auto proxies = TrustedProxies::parse({"127.0.0.1", "10.0.0.0/8", "fd00::/8", "unix:"});
    HttpRequest request;
    request.remote_address = peer;
    request.headers = std::move(headers);
    proxies->apply(request);
    return request.remote_address + (request.secure ? " https" : " http");
}

}  // namespace

TEST_CASE("networks hold the addresses that share their first bits") {
    const auto proxies =
        *TrustedProxies::parse({"10.1.0.0/15", "192.0.2.7", "2001:db8::/33", "::1"});
    for (const char* inside :
         {"10.0.0.1", "10.1.255.255", "192.0.2.7", "2001:db8:7fff::", "::1", "::ffff:192.0.2.7"})
        CHECK_MESSAGE(proxies.trusts(inside), inside);
    for (const char* outside :
         {"10.2.0.1", "192.0.2.8", "2001:db8:8000::", "::2", "unix:", "", "x"})
        CHECK_MESSAGE(!proxies.trusts(outside), outside);
    CHECK(TrustedProxies::parse({"0.0.0.0/0"})->trusts("203.0.113.9"));
    CHECK(!TrustedProxies::parse({"0.0.0.0/0"})->trusts("2001:db8::1"));
    CHECK(TrustedProxies::parse({"::/0"})->trusts("203.0.113.9"));
}

TEST_CASE("what is no network is refused by name") {
    for (const char* wrong :
         {"localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x", "::/129", "10.0"})
        CHECK_MESSAGE(TrustedProxies::parse({wrong}).error().message.find(wrong) == 1, wrong);
}

TEST_CASE("the right-most address that is not trusted is the client's") {
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "203.0.113.9"}}) == "203.0.113.9 http");
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "1.1.1.1, 203.0.113.9, 10.0.0.2"}}) ==
          "203.0.113.9 http");
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "203.0.113.9"},
                             {"x-forwarded-for", "10.0.0.2"}}) == "203.0.113.9 http");
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "10.0.0.3, 10.0.0.2"}}) == "10.0.0.3 http");
    CHECK(seen("unix:", {{"X-Forwarded-For", "2001:DB8::1"}}) == "2001:db8::1 http");
    CHECK(seen("::ffff:127.0.0.1", {{"X-Forwarded-For", "[2001:db8::1]:80"}}) ==
          "2001:db8::1 http");
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "203.0.113.9:4711"}}) == "203.0.113.9 http");
}

TEST_CASE("whoever is not trusted is not believed") {
    CHECK(seen("203.0.113.9", {{"X-Forwarded-For", "1.1.1.1"}, {"X-Forwarded-Proto", "https"}}) ==
          "203.0.113.9 http");
    CHECK(seen("203.0.113.9", {{"Forwarded", "for=1.1.1.1;proto=https"}}) == "203.0.113.9 http");
}

TEST_CASE("an address that is none ends the search at what is known") {
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "unknown"}}) == "127.0.0.1 http");
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "1.1.1.1, <x>, 10.0.0.2"}}) == "10.0.0.2 http");
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", ""}}) == "127.0.0.1 http");
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "["}}) == "127.0.0.1 http");
}

TEST_CASE("the protocol is the client's, not that of a proxy further in") {
    CHECK(seen("127.0.0.1", {{"X-Forwarded-Proto", "https"}}) == "127.0.0.1 https");
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "203.0.113.9, 10.0.0.2"},
                             {"X-Forwarded-Proto", "https, http"}}) == "203.0.113.9 https");
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "1.1.1.1, 203.0.113.9"},
                             {"X-Forwarded-Proto", "https, http"}}) == "203.0.113.9 http");
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "203.0.113.9, 10.0.0.2"},
                             {"X-Forwarded-Proto", "WSS"}}) == "203.0.113.9 https");
}

TEST_CASE("Forwarded is read as RFC 7239 has it, and goes before the older headers") {
    CHECK(seen("127.0.0.1", {{"X-Forwarded-For", "1.1.1.1"},
                             {"Forwarded",
                              "For=\"[2001:db8::17]:4711\"; Proto=https;by=x, "
                              "for=10.0.0.2;proto=http"}}) == "2001:db8::17 https");
    CHECK(seen("127.0.0.1", {{"Forwarded", "for=_hidden;proto=https"}}) == "127.0.0.1 https");
    CHECK(seen("127.0.0.1", {{"Forwarded", ";;for;=,"}}) == "127.0.0.1 http");
}
