#include "core/script/catalogue.hpp"

#include <doctest/doctest.h>

using namespace moonwire::script;

namespace {

using Names = std::vector<std::string>;

/// One app's files at one moment: two namespaces, "/a" with one file and "/b", and modules.
FoundScripts found(const std::string& a, const std::string& b,
                   std::map<std::string, std::string> modules = {}) {
    auto app = std::make_shared<AppSources>();
    app->app.name = "app";
    for (auto& [name, text] : modules) app->modules[name] = {"app/" + name + ".lua", text};
    FoundScripts all;
    if (!a.empty()) all.namespaces["/a"] = {"/a", app, {{"app/a.lua", a}}};
    if (!b.empty()) all.namespaces["/b"] = {"/b", app, {{"app/b.lua", b}}};
    return all;
}

Names names_of(const std::vector<NamespaceSources>& all) {
    Names names;
    for (const NamespaceSources& each : all) names.push_back(each.name);
    return names;
}

Names look(Catalogue& catalogue, FoundScripts scripts) {
    return names_of(catalogue.compare(std::move(scripts)).changed);
}

/// Looks and serves what there is.
void serve(Catalogue& catalogue, FoundScripts scripts) {
    for (const NamespaceSources& each : catalogue.compare(std::move(scripts)).changed)
        catalogue.serve(each);
}

}  // namespace

TEST_CASE("only what changed is to be loaded") {
    Catalogue catalogue;
    CHECK(look(catalogue, found("1", "1")) == Names{"/a", "/b"});
    serve(catalogue, found("1", "1"));
    CHECK(look(catalogue, found("1", "1")) == Names{});
    CHECK(look(catalogue, found("2", "1")) == Names{"/a"});
    const Catalogue::Changes gone = catalogue.compare(found("", "1"));
    CHECK(gone.deleted == Names{"/a"});
    CHECK(gone.changed.empty());
}

TEST_CASE("a module is a part of those that asked for it, even while it was not there") {
    Catalogue catalogue;
    FoundScripts first = found("1", "1", {{"lib", "1"}, {"other", "1"}});
    first.namespaces["/a"].used->add("lib");
    first.namespaces["/b"].used->add("missing");
    serve(catalogue, std::move(first));
    CHECK(look(catalogue, found("1", "1", {{"lib", "1"}, {"other", "2"}})) == Names{});
    CHECK(look(catalogue, found("1", "1", {{"lib", "2"}, {"other", "1"}})) == Names{"/a"});
    CHECK(look(catalogue, found("1", "1", {{"other", "1"}})) == Names{"/a"});
    CHECK(look(catalogue, found("1", "1", {{"lib", "1"}, {"missing", "1"}})) == Names{"/b"});
}

TEST_CASE("what failed is tried again, last, until it loads or is what serves") {
    Catalogue catalogue;
    serve(catalogue, found("1", "1"));
    catalogue.fail(catalogue.compare(found("bad", "1")).changed.at(0), {"app/a.lua", 1, "no"});
    CHECK(catalogue.errors().size() == 1);
    CHECK(catalogue.error_of("/a")->message == "no");
    CHECK(look(catalogue, found("bad", "2")) == Names{"/b", "/a"});
    CHECK(look(catalogue, found("1", "1")) == Names{});
    CHECK(catalogue.errors().empty());
}

TEST_CASE("a namespace with a file that can't be understood stays as it is") {
    Catalogue catalogue;
    serve(catalogue, found("1", "1"));
    FoundScripts broken = found("", "2");
    broken.errors.push_back({"app/a.lua", 3, "a namespace starts with '/'"});
    const Catalogue::Changes changes = catalogue.compare(std::move(broken));
    CHECK(changes.deleted.empty());
    CHECK(names_of(changes.changed) == Names{"/b"});
    CHECK(catalogue.errors().size() == 1);
}
