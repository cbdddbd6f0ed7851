#include "core/plugin/library.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>

using namespace moonwire::plugin;
namespace fs = std::filesystem;

namespace {

std::string built(const std::string& name) {
    return std::string(PLUGIN_FOLDER) + "/" + name + ".so";
}

std::string why_not(const std::string& name) {
    const auto opened = open_library(built(name));
    REQUIRE(!opened);
    const std::string& message = opened.error().message;
    REQUIRE(message.starts_with(built(name) + ": "));
    return message.substr(built(name).size() + 2);
}

}  // namespace

TEST_CASE("a plugin that was built like this binary is opened") {
    const auto library = open_library(built("needs_lone"));
    REQUIRE(library);
    CHECK(library->name() == "needs_lone");
    CHECK(library->needs() == std::vector<std::string>{"lone"});
}

TEST_CASE("a library that is no plugin, or another version's, says so before anything is called") {
    CHECK(why_not("no_plugin") ==
          "not a plugin: it has no symbol moonwire_plugin (MOONWIRE_PLUGIN)");
    CHECK(why_not("other_magic") ==
          "not a plugin: what its symbol moonwire_plugin leads to is something else");
    CHECK(why_not("other_version") ==
          std::string("built for Moonwire 0.0.9, and this is ") + kMoonwireVersion);
    CHECK(why_not("other_build") ==
          std::string("built with gcc 4, libstdc++ 4 old strings, and Moonwire with ") +
              kBuildSignature);
}

TEST_CASE("a file that is no library says what the system thinks of it") {
    const fs::path path =
        fs::temp_directory_path() / ("moonwire-no-library-" + std::to_string(getpid()) + ".so");
    std::ofstream(path) << "#!/bin/sh\n";
    const auto opened = open_library(path);
    fs::remove(path);
    REQUIRE(!opened);
    CHECK(opened.error().message.find("file too short") != std::string::npos);
    CHECK(opened.error().message.starts_with(path.string() + ": "));
}

TEST_CASE("a descriptor of another interface, another size or with a bad name is refused") {
    Descriptor descriptor = *open_library(built("lone"))->descriptor;
    CHECK(check_descriptor(descriptor));
    descriptor.version = 1;
    CHECK(check_descriptor(descriptor).error().message ==
          std::string("built for interface 1 of Moonwire ") + kMoonwireVersion +
              ", and this has interface " + std::to_string(kDescriptorVersion) + ": build it anew");
    descriptor.version = kDescriptorVersion;
    for (const char* name : {"", "load", "path", "a b", "../x"}) {
        descriptor.name = name;
        CHECK_FALSE(check_descriptor(descriptor));
    }
    descriptor.name = "fine";
    descriptor.size += 8;
    CHECK_FALSE(check_descriptor(descriptor));
    descriptor.size = 12;
    CHECK(check_descriptor(descriptor).error().message == "its descriptor is cut short");
}

TEST_CASE("a plugin is found by its name in the folders, in their order, or by its path") {
    const std::vector<fs::path> folders{"/no/such/folder", PLUGIN_FOLDER};
    CHECK(*find_library("lone", folders) == built("lone"));
    CHECK(*find_library(built("lone"), {}) == built("lone"));
    CHECK(find_library("nowhere", folders).error().message ==
          "no nowhere.so in /no/such/folder, " PLUGIN_FOLDER);
    CHECK(find_library("./nowhere.so", folders).error().message == "no file \"./nowhere.so\"");
    CHECK(find_library("not a name", folders).error().message ==
          "\"not a name\" is neither a plugin's name nor a path");
}
