#include "core/server/settings.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/server/apps.hpp"
#include "core/server/setting_keys.hpp"

using namespace moonwire;
using namespace moonwire::server;
namespace fs = std::filesystem;

namespace {

/// A folder that goes with the test.
class TempFolder {
public:
    TempFolder() {
        std::string name = (fs::temp_directory_path() / "moonwire-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~TempFolder() { fs::remove_all(path_); }
    const fs::path& path() const { return path_; }
    fs::path write(const std::string& name, const std::string& text) const {
        const fs::path file = path_ / name;
        fs::create_directories(file.parent_path());
        std::ofstream(file) << text;
        return file;
    }

private:
    fs::path path_;
};

/// An environment variable that goes with the test.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
    ~Variable() { unsetenv(name_); }

private:
    const char* name_;
};

Result<Settings> resolve(const std::string& toml, const Overrides& overrides = {}) {
    TempFolder folder;
    auto file = SettingsFile::read(folder.write("moonwire.toml", toml));
    if (!file) return file.error();
    return resolve_settings(*file, overrides);
}

/// The error's text after the folder's name.
std::string why(const std::string& toml, const Overrides& overrides = {}) {
    const auto settings = resolve(toml, overrides);
    if (settings) return "accepted";
    const std::string& message = settings.error().message;
    const std::size_t name = message.find("moonwire.toml");
    return name == std::string::npos ? message : message.substr(name);
}

}  // namespace

TEST_CASE("defaults are the reference's") {
    const auto settings = resolve("");
    REQUIRE(settings);
    CHECK(settings->engine.ping_interval.count() == 25000);
    CHECK(settings->engine.ping_timeout.count() == 20000);
    CHECK(settings->engine.max_payload_bytes == 1000000);
    CHECK(settings->socketio.connect_timeout.count() == 45000);
    CHECK(settings->transport.port == 3000);
}

TEST_CASE("flags win over variables, variables over the file, the file over defaults") {
    const std::string toml = "[server]\nport = 1\nhost = \"a\"\nthreads = 3\n";
    Variable port("MOONWIRE_SERVER_PORT", "2");
    Variable host("MOONWIRE_SERVER_HOST", "b");
    const auto settings = resolve(toml, {{"server.port", "4"}});
    REQUIRE(settings);
    CHECK(settings->transport.port == 4);
    CHECK(settings->transport.host == "b");
    CHECK(settings->threads == 3);
}

TEST_CASE("values may come from the environment, with defaults") {
    Variable origin("MOONWIRE_TEST_ORIGIN", "http://a, http://b");
    Variable empty("MOONWIRE_TEST_EMPTY", "");
    const auto settings = resolve(
        "[engine]\ncors_origins = \"${MOONWIRE_TEST_ORIGIN:-*}\"\n"
        "ping_timeout_ms = \"${MOONWIRE_TEST_EMPTY:-60000}\"\n"
        "[log]\nenabled = \"${MOONWIRE_TEST_NOT_SET:-false}\"\n");
    REQUIRE(settings);
    CHECK(settings->cors_origins == std::vector<std::string>{"http://a", "http://b"});
    CHECK(settings->engine.ping_timeout.count() == 60000);
    CHECK_FALSE(settings->log_enabled);
    CHECK(why("[server]\nhost = \"${MOONWIRE_TEST_NOT_SET}\"") ==
          "moonwire.toml:2: server.host: variable MOONWIRE_TEST_NOT_SET is not set and has no default");
}

TEST_CASE("what is wrong in the file is named with its line") {
    CHECK(why("[server]\n\nprot = 1\n") == "moonwire.toml:3: server.prot: unknown setting");
    CHECK(why("[servre]\nport = 1\n") == "moonwire.toml:2: servre.port: unknown setting");
    CHECK(why("port = 1\n") == "moonwire.toml:1: port: unknown setting");
    CHECK(why("[server]\nport = 70000\n") ==
          "moonwire.toml:2: server.port: expected a whole number from 0 to 65535");
    CHECK(why("[server]\nport = \"x\"\n") ==
          "moonwire.toml:2: server.port: expected a whole number from 0 to 65535");
    CHECK(why("[engine]\ntransports = [\"carrier-pigeon\"]\n") ==
          "moonwire.toml:2: engine.transports: unknown transport \"carrier-pigeon\", expected "
          "polling or websocket");
    CHECK(why("[log]\nlevel = \"loud\"\n") ==
          "moonwire.toml:2: log.level: expected debug, info, warn, error or off");
    CHECK(why("[namespaces]\n\"/\" = 5\n").starts_with("moonwire.toml:2: namespaces./: expected"));
    CHECK(why("[engine]\ndeflate = true\n") ==
          "moonwire.toml:2: engine.deflate: not available in this version");
    CHECK(why("[server\n").starts_with("moonwire.toml:1: "));
    CHECK(why("", {{"server.prot", "1"}}) == "command line: server.prot: unknown setting");
    Variable port("MOONWIRE_SERVER_PORT", "many");
    CHECK(why("") == "MOONWIRE_SERVER_PORT: server.port: expected a whole number from 0 to 65535");
}

TEST_CASE("aliases are read") {
    const auto settings = resolve("[namespaces]\n\"/\" = \"/tickets\"\n");
    REQUIRE(settings);
    CHECK(settings->aliases == std::map<std::string, std::string>{{"/", "/tickets"}});
}

TEST_CASE("every key has a name of its own and takes its default's kind of value") {
    for (const SettingKey& key : setting_keys()) {
        CHECK(find_setting(key.name) == &key);
        CHECK_FALSE(is_planned_setting(key.name));
        Settings settings;
        CHECK_FALSE(key.apply(settings, SettingValue(-1.5)));
    }
}

TEST_CASE("a folder with Lua files is one app; else each folder below it is one") {
    TempFolder folder;
    folder.write("tickets/queue.lua", "");
    folder.write("tickets/moonwire.toml", "[server]\nport = 5000\n[settings.queue]\nsize = 7\n");
    folder.write("orders/lib/geo.lua", "");
    folder.write("notes/readme.txt", "");
    folder.write("moonwire.toml", "[server]\nport = 9000\n[settings]\nsize = 1\n");

    const auto together = configure(folder.path(), {});
    REQUIRE(together);
    REQUIRE(together->apps.size() == 2);
    CHECK(together->apps[0].name == "orders");
    CHECK(together->apps[1].name == "tickets");
    CHECK(together->settings.transport.port == 9000);
    CHECK((*together->apps[1].setting)("queue.size") == "7");
    CHECK((*together->apps[1].setting)("queue") == "{\"size\":7}");
    CHECK((*together->apps[1].setting)("nothing") == std::nullopt);
    CHECK((*together->apps[0].setting)("queue.size") == std::nullopt);

    const auto alone = configure(folder.path() / "tickets", {{"settings.queue.size", "9"}});
    REQUIRE(alone);
    REQUIRE(alone->apps.size() == 1);
    CHECK(alone->settings.transport.port == 5000);
    CHECK(alone->apps[0].name == "tickets");
    CHECK(configure(folder.path() / "tickets" / "", {})->apps[0].name == "tickets");
    CHECK(configure(folder.path() / "tickets" / ".", {})->apps[0].name == "tickets");
    CHECK((*alone->apps[0].setting)("queue.size") == "9");

    CHECK(configure(folder.path() / "notes", {}).error().message.starts_with("no Lua files"));
    CHECK(configure(folder.path() / "nowhere", {}).error().message.ends_with("does not exist"));
    folder.write("tickets/moonwire.toml", "[server]\nprot = 1\n");
    CHECK(configure(folder.path(), {}).error().message.ends_with(":2: server.prot: unknown setting"));
}
