#include "core/script/lint.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "core/script/near_name.hpp"
#include "core/script/routes.hpp"

namespace moonwire::script {
namespace {

using MemberUse = LuaFacts::MemberUse;
using NameSet = std::set<std::string, std::less<>>;

/// What a name is called here that other programs have.
constexpr std::pair<std::string_view, std::string_view> kElsewhere[] = {
    {"print", "log.info"},    {"setTimeout", "after"}, {"setInterval", "every"},
    {"console", "log"},       {"coroutine", "spawn and gather"},
    {"loadstring", "require"}, {"dofile", "require"},
};

std::string advice(std::string_view name, const NameSet& known) {
    for (const auto& [theirs, ours] : kElsewhere)
        if (name == theirs) return "; here it is " + std::string(ours);
    return suggest(name, known);
}

class Linter {
public:
    Linter(const LintApp& app, const LintNamespaces& namespaces, const ApiNames& api)
        : app_(app), namespaces_(namespaces), api_(api) {}

    std::vector<Problem> lint() {
        gather_globals();
        for (const LintFile& file : app_.files) {
            if (file.facts.broken) continue;  // the compiler says why
            file_ = &file;
            lint_globals();
            lint_members();
            lint_modules();
            lint_names();
        }
        find_unused_modules();
        return std::move(problems_);
    }

private:
    void error(LuaPosition at, std::string message) { add(at, false, std::move(message)); }
    void warn(LuaPosition at, std::string message) { add(at, true, std::move(message)); }
    void add(LuaPosition at, bool is_warning, std::string message) {
        problems_.push_back({file_->path, at.line, at.column, is_warning, std::move(message)});
    }
    const LintNamespace* find(std::string_view nsp) const {
        const auto found = namespaces_.find(nsp);
        return found == namespaces_.end() ? nullptr : &found->second;
    }

    /// Files of a namespace share its globals with the modules that they require; a module may be
    /// required by any.
    void gather_globals() {
        bool all_loaded = true;
        for (const LintFile& file : app_.files) {
            if (file.nsp.empty()) continue;
            const LintNamespace* nsp = find(file.nsp);
            all_loaded &= nsp && nsp->loaded;
            if (!nsp) continue;
            globals_[file.nsp].insert(nsp->globals.begin(), nsp->globals.end());
            globals_[""].insert(nsp->globals.begin(), nsp->globals.end());
        }
        for (const LintFile& file : app_.files) {
            const LintNamespace* nsp = find(file.nsp);
            const bool loaded = file.nsp.empty() ? all_loaded : nsp && nsp->loaded;
            for (const auto& use : file.facts.globals) {
                if (!use.written) continue;
                written_.insert(use.name);
                // Where the load went wrong, whatever a function might have set counts.
                if (use.in_function && loaded) continue;
                globals_[file.nsp].insert(use.name);
                if (file.nsp.empty()) shared_.insert(use.name);
                else globals_[""].insert(use.name);
            }
        }
    }
    bool is_global(std::string_view name) const {
        const auto own = globals_.find(file_->nsp);
        return api_.globals.contains(name) || shared_.contains(name) ||
               (own != globals_.end() && own->second.contains(name));
    }

    void lint_globals() {
        for (const auto& use : file_->facts.globals) {
            if (is_global(use.name)) continue;
            if (use.written) {
                error(use.at, "global '" + use.name +
                                  "' is not set while the file loads, so it can't be set later; a "
                                  "forgotten 'local'?");
            } else {
                NameSet known = api_.globals;
                if (const auto own = globals_.find(file_->nsp); own != globals_.end())
                    known.insert(own->second.begin(), own->second.end());
                error(use.at, "unknown global '" + use.name + "'" + advice(use.name, known));
            }
        }
    }

    void lint_members() {
        for (const MemberUse& use : file_->facts.members) {
            const auto type = api_.members.find(use.type);
            if (type == api_.members.end()) continue;
            // Files may redefine a global, or add to a library.
            if (!use.global.empty() && written_.contains(use.global)) continue;
            const bool library = !is_object_type(use.type);
            if (library && is_added(use)) continue;
            const std::string shown = use.type + "." + use.name;
            const auto member = type->second.find(use.name);
            if (member == type->second.end()) {
                if (use.how == MemberUse::How::write && library) continue;
                const std::string text = describe_unknown(use) + suggest(use.name, type->second);
                // To look whether a library has something is no mistake in itself.
                if (library && use.how == MemberUse::How::read) warn(use.at, text);
                else error(use.at, text);
                continue;
            }
            const bool function = member->second == ApiNames::Sort::function;
            if (use.how == MemberUse::How::write && !library && !is_writable(use)) {
                error(use.at, shown + " can't be set");
            } else if (use.how == MemberUse::How::colon_call && library) {
                error(use.at, shown + " is called with '.', not ':'");
            } else if (use.how == MemberUse::How::colon_call && !function) {
                error(use.at, shown + " is no method");
            } else if (use.how == MemberUse::How::dot_call && !library && function &&
                       !use.passes_self) {
                error(use.at, shown + " is a method: it is called with ':', not '.'");
            }
        }
    }
    static bool is_writable(const MemberUse& use) {
        return (use.type == kSocketType && use.name == "data") ||
               (use.type == kNamespaceType && use.name == "state");
    }
    bool is_added(const MemberUse& use) const {
        for (const LintFile& file : app_.files)
            for (const MemberUse& other : file.facts.members)
                if (other.how == MemberUse::How::write && other.type == use.type &&
                    other.name == use.name)
                    return true;
        return false;
    }
    static std::string describe_unknown(const MemberUse& use) {
        const bool call = use.how == MemberUse::How::colon_call;
        std::string text = use.type + " has no " + (call ? "method" : "field") + " '" + use.name + "'";
        if (use.type == kSocketType && use.name == "on")
            text += " (handlers are the namespace's: ns:on(event, function(socket, …) … end))";
        return text;
    }

    void lint_modules() {
        for (const auto& module : file_->facts.modules) {
            if (app_.modules.contains(module.name) || app_.shared.contains(module.name) ||
                api_.modules.contains(module.name))
                continue;
            NameSet known = api_.modules;
            known.insert(app_.shared.begin(), app_.shared.end());
            for (const auto& [name, path] : app_.modules) known.insert(name);
            error(module.at, "module '" + module.name + "' not found: app '" + app_.name +
                                 "' has no such file without a namespace (nor is it built in)" +
                                 suggest(module.name, known));
        }
    }

    void lint_names() {
        for (const auto& each : file_->facts.namespaces) {
            if (is_served(each.name, namespaces_)) continue;
            warn(each.at, "no script here serves namespace '" + each.name + "'" +
                              suggest(each.name, namespaces_));
        }
        for (const auto& each : file_->facts.asks)
            lint_offer(each, &LintNamespace::services, "serves no '");
        for (const auto& each : file_->facts.server_emits)
            lint_offer(each, &LintNamespace::server_events, "has no on_server for '");
        for (const auto& each : file_->facts.emits) {
            const LintNamespace* nsp = find(each.nsp.empty() ? file_->nsp : each.nsp);
            if (!nsp || !nsp->loaded || nsp->declarations.empty()) continue;
            if (nsp->declarations.contains(each.name)) continue;
            warn(each.at, "event '" + each.name + "' is not declared with ns:emits, as others are" +
                              suggest(each.name, nsp->declarations));
        }
    }
    void lint_offer(const LuaFacts::Named& use, LintNamespace::Names LintNamespace::*offers,
                    const char* lacks) {
        const LintNamespace* nsp = find(use.nsp);
        if (!nsp || !nsp->loaded || (nsp->*offers).contains(use.name)) return;
        warn(use.at, "namespace '" + use.nsp + "' " + lacks + use.name + "'" +
                         suggest(use.name, nsp->*offers));
    }
    /// From the namespaces' files, through what modules require in turn.
    void find_unused_modules() {
        std::map<std::string, const LintFile*, std::less<>> by_path;
        for (const LintFile& file : app_.files) {
            if (file.facts.requires_computed || file.facts.broken) return;
            by_path[file.path] = &file;
        }
        std::set<std::string> used;
        std::vector<const LintFile*> open;
        const auto use = [&](const std::string& name) {
            const auto module = app_.modules.find(name);
            if (module == app_.modules.end() || !used.insert(name).second) return;
            open.push_back(by_path.at(module->second));
        };
        for (const LintFile& file : app_.files)
            if (!file.nsp.empty()) open.push_back(&file);
        while (!open.empty()) {
            const LintFile& file = *open.back();
            open.pop_back();
            for (const auto& module : file.facts.modules) use(module.name);
        }
        for (const auto& [name, path] : app_.modules) {
            if (used.contains(name)) continue;
            problems_.push_back({path, 0, 0, true,
                                 "not used: nothing requires \"" + name +
                                     "\", and it calls no namespace"});
        }
    }

    const LintApp& app_;
    const LintNamespaces& namespaces_;
    const ApiNames& api_;
    std::map<std::string, NameSet, std::less<>> globals_;  // by namespace; "": as modules see them
    NameSet shared_;                                       // that modules set
    NameSet written_;                                      // by any file
    const LintFile* file_ = nullptr;
    std::vector<Problem> problems_;
};

/// `position` is "file:line".
Problem warning_at(const std::string& position, std::string message) {
    Problem problem{position, 0, 0, true, std::move(message)};
    const std::size_t colon = position.rfind(':');
    if (colon == std::string::npos) return problem;
    problem.file.resize(colon);
    std::from_chars(position.data() + colon + 1, position.data() + position.size(), problem.line);
    return problem;
}

}  // namespace

std::vector<Problem> lint_app(const LintApp& app, const LintNamespaces& namespaces,
                              const ApiNames& api) {
    return Linter(app, namespaces, api).lint();
}

bool is_served(std::string_view name, const LintNamespaces& namespaces) {
    if (namespaces.contains(name)) return true;
    for (const auto& [family, nsp] : namespaces) {
        if (family.find("/:") == std::string::npos) continue;
        std::string error;
        const auto pattern = RoutePattern::parse(family, error);
        if (pattern && pattern->match(name)) return true;
    }
    return false;
}

std::vector<Problem> lint_events(const LintNamespace& nsp, const LintNamespaces& namespaces) {
    std::vector<Problem> problems;
    for (const auto& handled : nsp.events) {
        // Names of their own: clang 14 lets no lambda capture a structured binding.
        const auto& event = handled.first;
        const auto& position = handled.second;
        if (nsp.declarations.contains(event)) continue;
        for (const auto* names : {&nsp.declarations, &nsp.events}) {
            const auto near = std::find_if(names->begin(), names->end(), [&](const auto& other) {
                // Of two handlers the later one in order of names is told about.
                return is_slip_of(event, other.first) &&
                       (names == &nsp.declarations || other.first < event);
            });
            if (near == names->end()) continue;
            problems.push_back(warning_at(position, "the handler's event '" + event +
                                                        "' looks like a slip of '" + near->first +
                                                        "' (" + near->second + ")"));
            break;
        }
    }
    for (const auto& [name, position] : nsp.relayed_to)
        if (!is_served(name, namespaces))
            problems.push_back(warning_at(position, "no script here serves namespace '" + name +
                                                        "'" + suggest(name, namespaces)));
    return problems;
}

}  // namespace moonwire::script
