#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/script/api_names.hpp"
#include "core/script/check.hpp"
#include "core/script/lint_facts.hpp"

namespace moonwire::script {

/// A file of an app as it reads.
struct LintFile {
    std::string path;
    std::string nsp;  // empty: a module
    LuaFacts facts;
};

/// What a namespace's files registered when they were run; with their positions ("file:line").
struct LintNamespace {
    using Names = std::map<std::string, std::string, std::less<>>;
    bool loaded = false;  // without an error; else the rest is incomplete
    Names relayed_to;  // namespaces
    Names events, services, server_events, declarations;
    std::set<std::string, std::less<>> globals;
};
using LintNamespaces = std::map<std::string, LintNamespace, std::less<>>;

/// What can be told of an app from its text, given what it may use.
struct LintApp {
    std::string name;
    std::vector<LintFile> files;
    std::map<std::string, std::string, std::less<>> modules;  // its own: name -> path
    std::set<std::string, std::less<>> shared;  // names of modules that it has with others
};

/// Names that nothing defines, calls that must fail, and names that look like slips.
std::vector<Problem> lint_app(const LintApp& app, const LintNamespaces& namespaces,
                              const ApiNames& api);

/// Whether the name is a namespace here, or of a family here.
bool is_served(std::string_view name, const LintNamespaces& namespaces);

/// Handlers whose event looks like a slip of one that is declared or handled beside it,
/// and relays to namespaces that are not there.
std::vector<Problem> lint_events(const LintNamespace& nsp, const LintNamespaces& namespaces);

}  // namespace moonwire::script
