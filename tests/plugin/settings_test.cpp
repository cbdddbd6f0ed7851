#include "core/plugin/api/settings.hpp"

#include <doctest/doctest.h>

using namespace moonwire::plugin;

namespace {

using Lines = std::vector<std::string>;

SettingNode node(auto value, int line) {
    SettingNode made;
    made.value = value;
    made.where = "m.toml:" + std::to_string(line);
    made.folder = "/etc/moonwire";
    return made;
}

Settings settings(SettingNode::Table table) { return Settings("plugins.x", node(table, 1)); }

struct Variable {
    Variable(const char* name, const char* value) : name(name) { setenv(name, value, 1); }
    ~Variable() { unsetenv(name); }
    const char* name;
};

}  // namespace

TEST_CASE("getters give what is set, or the fallback") {
    auto own = settings(
        {{"text", node(std::string("a"), 2)},
         {"number", node(std::int64_t{7}, 3)},
         {"share", node(0.5, 4)},
         {"on", node(true, 5)},
         {"file", node(std::string("key.pem"), 6)},
         {"list",
          node(SettingNode::List{node(std::string("a"), 7), node(std::string("b"), 7)}, 7)}});
    CHECK(own.text("text") == "a");
    CHECK(own.text("other", "b") == "b");
    CHECK(own.integer("number", 1) == 7);
    CHECK(own.integer("none", 1) == 1);
    CHECK(own.number("share", 0) == 0.5);
    CHECK(own.number("number", 0) == 7);
    CHECK(own.boolean("on", false));
    CHECK(own.path("file") == "/etc/moonwire/key.pem");
    CHECK(own.path("none") == "");
    CHECK(own.texts("list") == Lines{"a", "b"});
    CHECK(own.texts("text") == Lines{"a"});
    CHECK(own.has("list"));
    CHECK_FALSE(own.has("none"));
    CHECK(own.finish() == Lines{});
}

TEST_CASE("what is wrong is told with its place, all at once") {
    auto own = settings({{"text", node(std::int64_t{1}, 2)},
                         {"number", node(std::int64_t{700}, 3)},
                         {"words", node(std::string("7"), 4)},
                         {"on", node(std::string("maybe"), 5)},
                         {"typo", node(true, 6)},
                         {"part", node(SettingNode::Table{{"typo", node(true, 8)}}, 7)}});
    CHECK(own.text("text", "fallback") == "fallback");
    CHECK(own.integer("number", 5, 1, 100) == 5);
    CHECK(own.integer("words", 5) == 5);  // in a file, "7" is no number
    CHECK_FALSE(own.boolean("on", false));
    own.table("part");
    own.fail("text", "is bad");
    own.fail("missing", "is needed");
    CHECK(own.finish() == Lines{"m.toml:2: plugins.x.text: expected a string",
                                "m.toml:3: plugins.x.number: expected a whole number from 1 to 100",
                                "m.toml:4: plugins.x.words: expected a whole number of at least 0",
                                "m.toml:5: plugins.x.on: expected true or false",
                                "m.toml:2: plugins.x.text: is bad",
                                "m.toml:1: plugins.x.missing: is needed",
                                "m.toml:8: plugins.x.part.typo: unknown setting",
                                "m.toml:6: plugins.x.typo: unknown setting"});
}

TEST_CASE("tables and lists of tables are settings of their own") {
    const auto entry = [](const char* name, int line) {
        return node(SettingNode::Table{{"name", node(std::string(name), line)}}, line);
    };
    auto own = settings({{"inner", node(SettingNode::Table{{"a", node(std::string("1"), 3)}}, 2)},
                         {"entry", node(SettingNode::List{entry("one", 5), entry("two", 7)}, 4)},
                         {"wrong", node(true, 8)}});
    CHECK(own.table("inner").text("a") == "1");
    CHECK(own.table("none").text("a", "b") == "b");
    auto entries = own.tables("entry");
    REQUIRE(entries.size() == 2);
    CHECK(entries[1].text("name") == "two");
    CHECK(own.tables("none").empty());
    CHECK(own.tables("wrong").empty());
    own.table("wrong");
    CHECK(own.table("inner").names() == Lines{"a"});
    CHECK(own.finish() ==
          Lines{"m.toml:8: plugins.x.wrong: expected tables, as in [[plugins.x.wrong]]",
                "m.toml:8: plugins.x.wrong: expected a table",
                "m.toml:5: plugins.x.entry[1].name: unknown setting"});
}

TEST_CASE("variables win over the file, and the command line over both") {
    const Variable number("MOONWIRE_PLUGINS_X_NUMBER", "8");
    const Variable list("MOONWIRE_PLUGINS_X_LIST", "a, b");
    const Variable inner("MOONWIRE_PLUGINS_X_INNER_A", "2");
    const Variable given("MOONWIRE_PLUGINS_X_GIVEN", "2");
    const Variable wrong("MOONWIRE_PLUGINS_X_WRONG", "much");
    SettingNode command = node(std::string("9"), 0);
    command.where = "command line";
    command.overriding = true;
    auto own = settings({{"number", node(std::int64_t{7}, 2)}, {"given", command}});
    CHECK(own.integer("number", 0) == 8);
    CHECK(own.integer("given", 0) == 9);
    CHECK(own.texts("list") == Lines{"a", "b"});
    CHECK(own.table("inner").integer("a", 0) == 2);
    CHECK(own.number("wrong", 1.5) == 1.5);
    CHECK(own.finish() == Lines{"MOONWIRE_PLUGINS_X_WRONG: plugins.x.wrong: expected a number"});
}
