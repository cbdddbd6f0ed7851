#pragma once

#include <string>
#include <vector>

#include "core/script/host.hpp"
#include "core/script/schema_node.hpp"

namespace moonwire::script {

/// The values that an event carries and what acknowledges it, as far as they are declared.
struct Signature {
    bool declared = false;  // the arguments are known
    std::vector<SchemaNode::Child> arguments;
    SchemaNode::Child returns;  // null: not declared
    std::string description;
};

struct EventContract {
    std::string name;
    std::string position;  // "file:line" of the declaration
    Signature signature;
};

/// What a namespace and its clients say to each other. Plain values; any thread.
struct NamespaceContract {
    std::string app;
    std::string name;                // "/chat", or a family: "/tenant/:name"
    std::vector<EventContract> in;   // from clients, in order of their names
    std::vector<EventContract> out;  // to clients
};

/// The contracts of all namespaces, or what keeps their files from being loaded.
struct Contracts {
    std::vector<NamespaceContract> namespaces;  // in order of their names
    std::vector<LoadError> errors;
};

/// Loads everything in scratch states and reads what it declares. Any thread.
Contracts read_contracts(const HostOptions& options);

class Generation;
/// What the files of a generation that was loaded declare.
NamespaceContract contract_of(const Generation& generation);

/// Two schemas of one name in an app, each alone in its namespace: types can't be told apart.
std::vector<LoadError> name_conflicts(const std::vector<NamespaceContract>& namespaces);

}  // namespace moonwire::script
