#include "core/server/store.hpp"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <optional>
#include <string>

using namespace moonwire::server;

namespace {

/// A variable with another value, or none, while this lives.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name) {
        if (const char* before = getenv(name)) before_ = before;
        if (value) setenv(name, value, 1);
        else unsetenv(name);
    }
    ~Variable() {
        if (before_) setenv(name_, before_->c_str(), 1);
        else unsetenv(name_);
    }

private:
    const char* name_;
    std::optional<std::string> before_;
};

}  // namespace

TEST_CASE("a service keeps its store where systemd says, a user in the home's state folder") {
    const Variable service("STATE_DIRECTORY", "/var/lib/moonwire:/var/lib/other");
    CHECK(default_store_path("scripts") == "/var/lib/moonwire/store.db");
    const Variable no_service("STATE_DIRECTORY", nullptr);
    const Variable home("HOME", "/home/u");
    const Variable none("XDG_STATE_HOME", nullptr);
    CHECK(default_store_path("/srv/chat").starts_with("/home/u/.local/state/moonwire/chat-"));
    const Variable state("XDG_STATE_HOME", "/state");
    CHECK(default_store_path("/srv/chat").starts_with("/state/moonwire/chat-"));
}

TEST_CASE("each scripts folder has a store of its own, however it is named") {
    const Variable no_service("STATE_DIRECTORY", nullptr);
    const Variable state("XDG_STATE_HOME", "/state");
    const std::string path = default_store_path("/srv/chat");
    CHECK(path == "/state/moonwire/chat-4a155a3a.db");  // the same in every version
    CHECK(default_store_path("/srv/chat/") == path);
    CHECK(default_store_path("/srv/x/../chat/.") == path);
    CHECK(default_store_path("/other/chat") != path);
}
