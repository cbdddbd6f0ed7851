#include "core/server/settings.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "core/plugin/api/settings.hpp"
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

TEST_CASE("a log level may be in capitals") {
    const auto settings = resolve("[log]\nlevel = \"WARNING\"\n");
    REQUIRE(settings);
    CHECK(settings->log_level == log::Level::warn);
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
    CHECK(why("[plugins]\nlode = [\"x\"]\n") == "moonwire.toml:2: plugins.lode: unknown setting");
    CHECK(why("[server\n").starts_with("moonwire.toml:1: "));
    CHECK(why("", {{"server.prot", "1"}}) == "command line: server.prot: unknown setting");
    Variable port("MOONWIRE_SERVER_PORT", "many");
    CHECK(why("") == "MOONWIRE_SERVER_PORT: server.port: expected a whole number from 0 to 65535");
}

TEST_CASE("paths in the file start where it lies; those of the command line stay") {
    TempFolder folder;
    const auto file = SettingsFile::read(folder.write(
        "moonwire.toml", "[server]\nunix = \"run/broker.sock\"\nunix_mode = \"0660\"\n"));
    REQUIRE(file);
    const auto settings = resolve_settings(*file, {});
    REQUIRE(settings);
    CHECK(settings->transport.unix_path == folder.path() / "run/broker.sock");
    CHECK(settings->transport.unix_mode == 0660);
    CHECK(resolve_settings(*file, {{"server.unix", "x.sock"}})->transport.unix_path == "x.sock");
    CHECK(resolve("[server]\nunix = \"/run/x.sock\"")->transport.unix_path == "/run/x.sock");
    CHECK(resolve("[server]\nunix = \"\"")->transport.unix_path.empty());
    for (const char* mode : {"660", "\"0999\"", "\"rw\"", "\"0\"", "\"01777\""})
        CHECK(why("[server]\nunix_mode = " + std::string(mode)) ==
              "moonwire.toml:2: server.unix_mode: expected permissions as a string, as in \"0660\"");
}

TEST_CASE("plugins are named, or lie where a path says; their tables are kept for them") {
    TempFolder folder;
    const auto file = SettingsFile::read(folder.write("moonwire.toml", R"(
[plugins]
load = ["jwt", "./libx.so"]
path = ["lib"]

[plugins.jwt]
secret = "${MOONWIRE_TEST_NOT_SET:-s}"
leeway = 5

[[plugins.jwt.key]]
file = "a.pem"
)"));
    REQUIRE(file);
    auto settings = resolve_settings(*file, {{"plugins.jwt.leeway", "9"}, {"plugins.x.a.b", "1"}});
    REQUIRE(settings);
    CHECK(settings->plugins.load ==
          std::vector<std::string>{"jwt", (folder.path() / "./libx.so").string()});
    CHECK(settings->plugins.load_where == (folder.path() / "moonwire.toml:3").string());
    CHECK(settings->plugins.path == std::vector<fs::path>{folder.path() / "lib"});
    plugin::Settings jwt("plugins.jwt", settings->plugins.tables["jwt"]);
    CHECK(jwt.text("secret") == "s");
    CHECK(jwt.integer("leeway", 0) == 9);
    auto keys = jwt.tables("key");
    REQUIRE(keys.size() == 1);
    CHECK(keys[0].path("file") == folder.path() / "a.pem");
    jwt.fail("secret", "is short");
    CHECK(jwt.finish() == std::vector<std::string>{(folder.path() / "moonwire.toml").string() +
                                                   ":7: plugins.jwt.secret: is short"});
    CHECK(plugin::Settings("plugins.x", settings->plugins.tables["x"]).table("a").integer("b", 0) ==
          1);
    CHECK(why("", {{"plugins.x", "1"}}) == "command line: plugins.x: unknown setting");
    CHECK(why("[plugins.x]\na = \"${MOONWIRE_TEST_NOT_SET}\"")
              .starts_with("moonwire.toml:2: plugins.x.a: variable MOONWIRE_TEST_NOT_SET"));
}

TEST_CASE("[server.tls] names files beside it, and more certificates for other names") {
    TempFolder folder;
    const auto file = SettingsFile::read(folder.write(
        "moonwire.toml",
        "[server.tls]\nport = 8443\nhost = \"::1\"\ncertificate = \"a.pem\"\nkey = \"/k/a.key\"\n"
        "client_ca = \"ca.pem\"\nclient_certificate = \"optional\"\nmin_version = \"1.3\"\n"
        "ciphers = [\"A\", \"B\"]\n"
        "[[server.tls.certificates]]\ncertificate = \"b.pem\"\nkey = \"b.key\"\n"
        "[[server.tls.certificates]]\ncertificate = \"c.pem\"\n"));
    REQUIRE(file);
    const auto settings = resolve_settings(*file, {});
    REQUIRE(settings);
    const transport::TlsOptions& tls = settings->transport.tls;
    CHECK(tls.port == 8443);
    CHECK(tls.host == "::1");
    REQUIRE(tls.certificates.size() == 3);
    CHECK(tls.certificates[0].certificate == folder.path() / "a.pem");
    CHECK(tls.certificates[0].key == "/k/a.key");
    CHECK(tls.certificates[1].key == folder.path() / "b.key");
    CHECK(tls.certificates[2].certificate == folder.path() / "c.pem");
    CHECK(tls.certificates[2].key.empty());
    CHECK(tls.client_ca == folder.path() / "ca.pem");
    CHECK(tls.client_certificate == transport::ClientCertificate::optional);
    CHECK_FALSE(tls.tls_1_2);
    CHECK(tls.ciphers == "A:B");

    Variable certificate("MOONWIRE_SERVER_TLS_CERTIFICATE", "x.pem");
    CHECK(resolve("")->transport.tls.certificates[0].certificate == "x.pem");
    CHECK_FALSE(resolve("", {{"server.tls.certificate", ""}})->transport.tls.enabled());
}

TEST_CASE("what is wrong in [server.tls] is named") {
    const auto tls = [](const std::string& rest) { return why("[server.tls]\n" + rest); };
    CHECK(tls("prot = 1") == "moonwire.toml:2: server.tls.prot: unknown setting");
    CHECK(tls("port = 1") ==
          "server.tls.certificate: expected a file; empty switches TLS off");
    CHECK(tls("client_certificate = \"maybe\"") ==
          "moonwire.toml:2: server.tls.client_certificate: expected none, optional or required");
    CHECK(tls("min_version = 1.2") ==
          "moonwire.toml:2: server.tls.min_version: expected \"1.2\" or \"1.3\"");
    CHECK(tls("certificate = \"a\"\nclient_certificate = \"required\"").starts_with(
        "server.tls.client_ca: "));
    CHECK(tls("certificate = \"a\"\nclient_ca = \"b\"").starts_with("server.tls.client_ca: "));
    CHECK(tls("certificate = \"a\"\n[[server.tls.certificates]]\ncert = \"b\"") ==
          "moonwire.toml:3: server.tls.certificates: number 1: unknown key \"cert\", expected "
          "certificate and key");
    CHECK(tls("certificates = [{key = \"b\"}]") ==
          "moonwire.toml:2: server.tls.certificates: number 1: expected a certificate");
    CHECK(tls("certificates = [\"b\"]") ==
          "moonwire.toml:2: server.tls.certificates: expected tables, as in "
          "[[server.tls.certificates]]");
    CHECK(why("[server]\ntls = \"a.pem\"") == "moonwire.toml:2: server.tls: unknown setting");
}

TEST_CASE("a broker that would listen nowhere is refused") {
    CHECK(why("[server]\nplain = false\n") ==
          "server.plain: without it there is nothing to listen on");
    CHECK(why("[server]\nplain = false\nunix = \"x\"\n") == "accepted");
}

TEST_CASE("compression is off unless asked for") {
    CHECK_FALSE(resolve("")->transport.deflate);
    const auto settings =
        resolve("[engine]\ndeflate = true\ndeflate_threshold = 0\ndeflate_level = 9\n");
    REQUIRE(settings);
    CHECK(settings->transport.deflate);
    CHECK(settings->transport.deflate_threshold_bytes == 0);
    CHECK(settings->transport.deflate_level == 9);
    CHECK(why("[engine]\ndeflate_level = 0\n") ==
          "moonwire.toml:2: engine.deflate_level: expected a whole number from 1 to 9");
}

TEST_CASE("limits by address, user and time reach the layers that hold them") {
    const auto settings = resolve(
        "[limits]\nconnections_per_ip = 10\nconnections_per_user = 3\nipv6_prefix = 56\n"
        "handshakes_per_second_per_ip = 5\nevents_per_second = 50\nbytes_per_second = 100_000\n"
        "over_rate = \"disconnect\"\nrate_burst_seconds = 4\nsend_queue_ms = 1500\n");
    REQUIRE(settings);
    using namespace std::chrono_literals;
    CHECK(settings->engine.max_sessions_per_ip == 10);
    CHECK(settings->transport.max_connections_per_ip == 60);
    CHECK(settings->socketio.nsp.connections_per_user == 3);
    CHECK(settings->engine.ipv6_prefix == 56);
    CHECK(settings->transport.ipv6_prefix == 56);
    CHECK(settings->engine.send_queue_age == 1500ms);
    CHECK(settings->transport.send_queue_age == 1500ms);
    CHECK(settings->socketio.inbound.disconnect);
    TokenBucket bucket;
    int at_once = 0;
    while (bucket.take(settings->engine.handshakes_per_ip, TimePoint{} + 1h)) ++at_once;
    CHECK(at_once == 20);
    CHECK(settings->socketio.inbound.events.refill() == 4s);
    CHECK(settings->socketio.inbound.bytes.refill() == 4s);

    const auto off = resolve("");
    CHECK_FALSE(off->engine.handshakes_per_ip);
    CHECK_FALSE(off->socketio.inbound.limited());
    CHECK(off->engine.max_sessions_per_ip == 0);
    CHECK(why("[limits]\nover_rate = \"scold\"\n") ==
          "moonwire.toml:2: limits.over_rate: expected \"drop\" or \"disconnect\"");
    CHECK(why("[limits]\nevents_per_second = -1\n").starts_with(
        "moonwire.toml:2: limits.events_per_second: "));
}

TEST_CASE("the audit log's file starts where moonwire.toml lies") {
    TempFolder folder;
    const auto file = SettingsFile::read(
        folder.write("moonwire.toml", "[audit]\nfile = \"a.jsonl\"\nmax_mb = 2\nkeep = 9\n"));
    const auto settings = resolve_settings(*file, {});
    REQUIRE(settings);
    CHECK(settings->audit.file == (folder.path() / "a.jsonl").string());
    CHECK(settings->audit.max_bytes == 2u << 20);
    CHECK(settings->audit.keep == 9);
    CHECK(resolve("")->audit.file.empty());
}

TEST_CASE("[store] says where things are kept, and how much") {
    const auto defaults = resolve("");
    REQUIRE(defaults);
    CHECK(defaults->store_kind == "sqlite");
    CHECK(defaults->store_file.path == "");
    CHECK(defaults->store.durable);
    CHECK(defaults->store_file.check);
    CHECK_FALSE(defaults->store_file.set_aside);
    const auto settings = resolve(
        "[store]\nkind = \"memory\"\ndurable = false\nkeys = 7\nwaiting = 3\nqueue_seconds = 60\n"
        "path = \"/x/store.db\"");
    REQUIRE(settings);
    CHECK(settings->store_kind == "memory");
    CHECK(settings->store_file.path == "/x/store.db");
    CHECK_FALSE(settings->store.durable);
    CHECK(settings->store_file.limits.keys == 7);
    CHECK(settings->store_file.limits.waiting == 3);
    CHECK(settings->store.waiting == 3);
    CHECK(settings->store.queue_time == std::chrono::seconds(60));
    CHECK(why("[store]\nmax_value_bytes = 1")
              .starts_with("moonwire.toml:2: store.max_value_bytes: "));
}

TEST_CASE("store.kind is the broker's or a plugin's, and an error names those there are") {
    const auto settings = resolve("[store]\nkind = \"redis\"");
    REQUIRE(settings);  // whether there is one, only those know who have loaded the plugins
    CHECK(check_store_kind(*settings, {"mongo", "redis"}));
    CHECK(check_store_kind(*settings, {}).error().message.ends_with(
        "/moonwire.toml:2: store.kind: no store \"redis\", expected sqlite or memory"));
    CHECK(check_store_kind(*settings, {"mongo"}).error().message.ends_with(
        "/moonwire.toml:2: store.kind: no store \"redis\", expected sqlite, memory or mongo"));
    CHECK(check_store_kind(*resolve(""), {}));
    CHECK(check_store_kind(*resolve("[store]\nkind = \"memory\""), {}));
    CHECK(why("[store]\nkind = 1").starts_with("moonwire.toml:2: store.kind: expected "));
}

TEST_CASE("aliases are read") {
    const auto settings = resolve("[namespaces]\n\"/\" = \"/tickets\"\n");
    REQUIRE(settings);
    CHECK(settings->aliases == std::map<std::string, std::string>{{"/", "/tickets"}});
}

TEST_CASE("a namespace may have a table of its own, which differs from what all have") {
    const auto settings = resolve(R"(
[limits]
handler_ms = 50
load_ms = 700
[namespaces]
"/old" = "/new"
[namespaces."/tenant/:name"]
dedicated = true
handler_ms = 900
memory_mb = 3
)",
                                  {{"namespaces./x.jit", "true"}});
    REQUIRE(settings);
    CHECK(settings->aliases.at("/old") == "/new");
    REQUIRE(settings->namespaces.size() == 2);
    const NamespaceSettings& family = settings->namespaces.at("/tenant/:name");
    CHECK(family.dedicated);
    const script::VmLimits limits = family.limits(settings->script_limits);
    CHECK(limits.handler == std::chrono::milliseconds(900));
    CHECK(limits.load == std::chrono::milliseconds(700));
    CHECK(limits.memory_bytes == 3u << 20);
    CHECK_FALSE(limits.jit);
    CHECK(settings->namespaces.at("/x").jit);
    CHECK(settings->script_limits.handler == std::chrono::milliseconds(50));

    CHECK(why("[namespaces.\"/x\"]\nmemory = 3").find(
              "unknown setting, expected one of dedicated, jit, handler_ms, load_ms, memory_mb") !=
          std::string::npos);
    CHECK(why("[namespaces.\"/x\"]\njit = 3").find(":2: namespaces./x.jit: expected true or false") !=
          std::string::npos);
    CHECK(why("[namespaces]\nx = \"y\"").find("expected the name of a namespace") !=
          std::string::npos);
    std::string many = "[server]\nthreads = 190\n";
    for (int i = 0; i < 11; ++i)
        many += "[namespaces.\"/n" + std::to_string(i) + "\"]\ndedicated = true\n";
    CHECK(why(many).find("more than 200 threads") != std::string::npos);
}

TEST_CASE("every key has a name of its own and takes its default's kind of value") {
    for (const SettingKey& key : setting_keys()) {
        CHECK(find_setting(key.name) == &key);
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

TEST_CASE("what requests meet is checked where it is set") {
    const auto good = resolve(
        "[engine]\npath = \"/live/\"\ncookie = \"io\"\ncookie_same_site = \"None\"\n"
        "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"unix:\"]\n");
    REQUIRE(good);
    CHECK(good->engine.path == "/live");
    CHECK(good->engine.cookie.header("1") == "io=1; Path=/; HttpOnly; SameSite=None");
    CHECK(good->transport.trusted_proxies.trusts("10.1.2.3"));
    for (const char* wrong : {"path = \"live\"", "path = \"/\"", "path = \"/a?b\"",
                              "cookie = \"a=b\"", "cookie = \"a\\n\"", "cookie_path = \"x\"",
                              "cookie_path = \"/;x\"", "cookie_same_site = \"Maybe\"",
                              "cookie_max_age = -1", "http_compression_threshold = -1"})
        CHECK_MESSAGE(!resolve(std::string("[engine]\n") + wrong), wrong);
    CHECK(!resolve("[server]\ntrusted_proxies = [\"nobody\"]"));
    CHECK(!resolve("[server]\nclient_bundle = \"/nowhere\""));
}
