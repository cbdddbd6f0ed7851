#include "core/base/http_url.hpp"

#include <doctest/doctest.h>

using namespace moonwire;

namespace {

std::string parts(std::string_view text) {
    const auto url = parse_http_url(text);
    if (!url) return url.error().message;
    return std::string(url->secure ? "s " : "p ") + url->host + " " + std::to_string(url->port) +
           " " + url->target + " " + url->authority();
}

}  // namespace

TEST_CASE("a URL of HTTP is taken apart") {
    CHECK(parts("http://example.com") == "p example.com 80 / example.com");
    CHECK(parts("HTTPS://Example.COM/A/b?c=d&e=%20") ==
          "s example.com 443 /A/b?c=d&e=%20 example.com");
    CHECK(parts("http://h:8080?q=1") == "p h 8080 /?q=1 h:8080");
    CHECK(parts("https://h:443/x#part") == "s h 443 /x h");
    CHECK(parts("http://h:443/") == "p h 443 / h:443");
    CHECK(parts("http://h:/") == "p h 80 / h");
    CHECK(parts("http://[::1]:99/x") == "p ::1 99 /x [::1]:99");
    CHECK(parts("http://127.0.0.1/@a:b") == "p 127.0.0.1 80 /@a:b 127.0.0.1");
}

TEST_CASE("a bad URL is quoted with what is wrong") {
    CHECK(parts("") == "bad URL \"\": it must begin with http:// or https://");
    CHECK(parts("ftp://h/") == "bad URL \"ftp://h/\": it must begin with http:// or https://");
    CHECK(parts("example.com/x").ends_with("http:// or https://"));
    CHECK(parts("http:/h").ends_with("http:// or https://"));
    CHECK(parts("http://").ends_with("it has no host"));
    CHECK(parts("http://:80/").ends_with("it has no host"));
    CHECK(parts("http:///path").ends_with("it has no host"));
    CHECK(parts("http://user:secret@h/").find("authorization header") != std::string::npos);
    CHECK(parts("http://a b/").find("a name can't have") != std::string::npos);
    CHECK(parts("http://\xc3\xa4.de/").find("a name can't have") != std::string::npos);
    CHECK(parts("http://[::1/").find("no ]") != std::string::npos);
    CHECK(parts("http://[x]/").find("IPv6") != std::string::npos);
    for (const char* port : {"0", "65536", "a", "1a", "-1", "80:80"})
        CHECK(parts("http://h:" + std::string(port) + "/").find("port") != std::string::npos);
    CHECK(parts("http://[::1]x/").find("port") != std::string::npos);
    for (const char* target : {"a b", "\r\nx: y", "\xc3\xa4", "\"", "<", "\x7f"})
        CHECK(parts("http://h/" + std::string(target)).find("encoded") != std::string::npos);
    const std::string longest = "http://h/" + std::string(kMaxUrlBytes - 9, 'x');
    CHECK(parse_http_url(longest));
    const auto longer = parse_http_url(longest + "x");
    REQUIRE(!longer);
    CHECK(longer.error().message.ends_with("…\": it is too long"));
    CHECK(longer.error().message.size() < 300);
}
