#include <doctest/doctest.h>

#include <stdexcept>
#include <string>

#include "plugins/redis/address.hpp"
#include "plugins/redis/options.hpp"
#include "plugins/redis/outbox.hpp"

using namespace moonwire;
using namespace moonwire::redis;

namespace {

std::string url_problem(const std::string& url) {
    try {
        parse_address(url);
    } catch (const std::runtime_error& problem) {
        return problem.what();
    }
    return "none";
}

Publication message(std::size_t bytes) { return {"c", std::string(bytes - 1, 'x')}; }

plugin::SettingNode text(std::string value) { return {std::move(value), "moonwire.toml:7"}; }

std::vector<std::string> problems(plugin::SettingNode::Table table) {
    plugin::Settings settings("plugins.redis", {std::move(table), "moonwire.toml:5"});
    read_options(settings);
    return settings.finish();
}

}  // namespace

TEST_CASE("a url says where the server is and as whom to log in") {
    const Address plain = parse_address("redis://redis.example");
    CHECK(plain.host == "redis.example");
    CHECK(plain.port == 6379);
    CHECK(plain.password.empty());
    const Address full = parse_address("redis://me:p%40ss%2F@[::1]:123/4");
    CHECK(full.host == "::1");
    CHECK(full.port == 123);
    CHECK(full.user == "me");
    CHECK(full.password == "p@ss/");
    CHECK(parse_address("redis://:secret@h").user.empty());
    CHECK(parse_address("redis://:secret@h").password == "secret");
    const Address path = parse_address("unix://:secret@/run/redis.sock?db=2");
    CHECK(path.path == "/run/redis.sock");
    CHECK(path.password == "secret");
}

TEST_CASE("what is shown of a url has neither user nor password") {
    CHECK(parse_address("redis://me:secret@h:123/4").shown() == "redis://h:123");
    CHECK(parse_address("redis://me:secret@[::1]").shown() == "redis://[::1]:6379");
    CHECK(parse_address("unix://me:secret@/a/b").shown() == "unix:///a/b");
}

TEST_CASE("a wrong url is refused, and its password is not repeated") {
    CHECK(url_problem("rediss://h").starts_with("rediss:// (TLS) is not supported"));
    CHECK(url_problem("http://h") == "the url must begin with redis:// or unix://");
    CHECK(url_problem("redis://") == "the url names no host");
    CHECK(url_problem("redis://me:secret@") == "the url names no host");
    CHECK(url_problem("redis://me@h") == "the url names a user and no password");
    CHECK(url_problem("redis://h:0") == "the url's port must be from 1 to 65535");
    CHECK(url_problem("redis://h:65536") == "the url's port must be from 1 to 65535");
    CHECK(url_problem("redis://h:secret") == "the url's port must be from 1 to 65535");
    CHECK(url_problem("redis://h/x") == "the url's database must be a number");
    CHECK(url_problem("redis://[::1") == "the url has a [ without its ]");
    CHECK(url_problem("redis://[::1]x") == "the url is malformed behind its host");
    CHECK(url_problem("redis://:a%4@h") == "the url has a % that begins no escape");
    CHECK(url_problem("redis://:a%zz@h") == "the url has a % that begins no escape");
    CHECK(url_problem("unix://relative") == "the url names no path: expected unix:///path");
    CHECK(url_problem("unix:///p?x=1") == "the url has an unknown option");
}

TEST_CASE("settings that are wrong are named with their place") {
    CHECK(problems({}).empty());
    const auto url = problems({{"url", text("rediss://:secret@h")}});
    REQUIRE(url.size() == 1);
    CHECK(url[0].starts_with("moonwire.toml:7: plugins.redis.url: rediss:// (TLS)"));
    CHECK(url[0].find("secret") == std::string::npos);
    CHECK(problems({{"key", text("")}}).size() == 1);
    CHECK(problems({{"unknown", text("")}}).size() == 1);
    plugin::SettingNode::Table names{{"/", text("/orders")}};
    CHECK(problems({{"namespaces", {names, "moonwire.toml:6"}}}).empty());
    names.emplace("/b", text("/orders"));
    CHECK(problems({{"namespaces", {names, "moonwire.toml:6"}}}).size() == 1);
    CHECK(problems({{"namespaces",
                     {plugin::SettingNode::Table{{"/", text("orders")}}, "moonwire.toml:6"}}})
              .size() == 1);
}

TEST_CASE("the outbox keeps the order, and refuses what is beyond its limits") {
    Outbox outbox(3, 100);
    CHECK(outbox.put(message(10)) == Outbox::Put::first);
    CHECK(outbox.put(message(20)) == Outbox::Put::behind);
    CHECK(outbox.put(message(71)) == Outbox::Put::full);
    CHECK(outbox.put(message(70)) == Outbox::Put::behind);
    CHECK(outbox.put(message(1)) == Outbox::Put::full);
    CHECK(outbox.size() == 3);
    const auto taken = outbox.take(2, 1000);
    REQUIRE(taken.size() == 2);
    CHECK(taken[0].payload.size() == 9);
    CHECK(outbox.put(message(30)) == Outbox::Put::behind);
    CHECK(outbox.take(10, 1).size() == 1);  // one at least
    CHECK(outbox.take(10, 1).size() == 1);
    CHECK(outbox.take(10, 1).empty());
    CHECK(outbox.put(message(100)) == Outbox::Put::first);
}
