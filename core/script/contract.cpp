#include "core/script/contract.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "core/script/app_files.hpp"
#include "core/script/generation.hpp"
#include "core/script/scratch.hpp"
#include "core/script/watchdog.hpp"

namespace moonwire::script {
namespace {

void sort_by_name(std::vector<EventContract>& events) {
    std::sort(events.begin(), events.end(),
              [](const auto& left, const auto& right) { return left.name < right.name; });
}

LoadError error_at(const std::string& position, std::string message) {
    LoadError error{position, 0, std::move(message)};
    const std::size_t colon = position.rfind(':');
    if (colon == std::string::npos) return error;
    std::from_chars(position.data() + colon + 1, position.data() + position.size(), error.line);
    error.file.resize(colon);
    return error;
}

/// Finds the named schemas of an app and where they are first used.
class NamesOfApp {
public:
    explicit NamesOfApp(std::vector<LoadError>& conflicts) : conflicts_(conflicts) {}

    void add(const NamespaceContract& contract) {
        for (const auto* events : {&contract.in, &contract.out})
            for (const EventContract& event : *events) add(event);
    }

private:
    struct Use {
        const SchemaNode* schema;
        const EventContract* event;
        bool told = false;
    };

    void add(const EventContract& event) {
        for (const auto& argument : event.signature.arguments) add(*argument, event);
        if (event.signature.returns) add(*event.signature.returns, event);
    }

    void add(const SchemaNode& node, const EventContract& event) {
        if (!node.name.empty()) {
            const auto [found, is_new] = uses_.try_emplace(node.name, Use{&node, &event});
            Use& first = found->second;
            if (!is_new && !first.told && !same_schema(*first.schema, node)) {
                first.told = true;
                conflicts_.push_back(error_at(
                    event.position, "the schema '" + node.name + "' of event '" + event.name +
                                        "' is not the one of event '" + first.event->name +
                                        "' (" + first.event->position + ")"));
            }
        }
        for (const auto& child : node.children) add(*child, event);
        for (const auto& field : node.fields) add(*field.schema, event);
    }

    std::vector<LoadError>& conflicts_;
    std::map<std::string, Use, std::less<>> uses_;
};

}  // namespace

NamespaceContract contract_of(const Generation& generation) {
    NamespaceContract contract{generation.app().app.name, generation.nsp(), {}, {}};
    for (const auto& [name, handler] : generation.events) {
        contract.in.push_back({name, handler.position, handler.signature});
        // What is passed on comes out again.
        if (!handler.relay || !handler.relay->to_namespace.empty()) continue;
        const std::string& sent = handler.relay->as.empty() ? name : handler.relay->as;
        const auto has_it = [&](const EventContract& event) { return event.name == sent; };
        if (!generation.declarations.contains(sent) &&
            std::none_of(contract.out.begin(), contract.out.end(), has_it))
            contract.out.push_back({sent, handler.position, handler.signature});
    }
    for (const auto& [name, declaration] : generation.declarations)
        contract.out.push_back({name, declaration.position, declaration.signature});
    sort_by_name(contract.in);
    sort_by_name(contract.out);
    return contract;
}

std::vector<LoadError> name_conflicts(const std::vector<NamespaceContract>& namespaces) {
    std::vector<LoadError> conflicts;
    std::map<std::string_view, NamesOfApp> apps;
    for (const NamespaceContract& contract : namespaces)
        apps.try_emplace(contract.app, conflicts).first->second.add(contract);
    return conflicts;
}

Contracts read_contracts(const HostOptions& options) {
    FoundScripts found = find_scripts(options.apps);
    VmLimits limits = options.limits;
    limits.watchdog = std::make_shared<Watchdog>();
    Contracts contracts{{}, std::move(found.errors)};
    for (const auto& [name, sources] : found.namespaces) {
        Tried tried = try_namespace(sources, limits);
        if (tried.error) contracts.errors.push_back(*std::move(tried.error));
        else contracts.namespaces.push_back(std::move(tried.contract));
    }
    for (LoadError& each : name_conflicts(contracts.namespaces))
        contracts.errors.push_back(std::move(each));
    return contracts;
}

}  // namespace moonwire::script
