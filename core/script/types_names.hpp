#pragma once

#include <initializer_list>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/script/contract.hpp"

namespace moonwire::script {

/// The words of a name that may hold anything: "vehicle:positionUpdate" is vehicle, position,
/// update. Only ASCII letters and digits stay.
std::vector<std::string> words_of(std::string_view name);
/// "VehiclePositionUpdate", "vehiclePositionUpdate", "vehicle_position_update"; never empty, never
/// with a digit first.
std::string pascal_case(std::string_view name);
std::string camel_case(std::string_view name);
std::string snake_case(std::string_view name);
/// Of a namespace: "/depot-reservoir" is DepotReservoir, "/" is Root.
std::string namespace_type(std::string_view nsp);

/// Hands out names, each once: the second "Ride" becomes "Ride2".
class UniqueNames {
public:
    UniqueNames(std::initializer_list<std::string_view> reserved)
        : taken_(reserved.begin(), reserved.end()) {}
    std::string take(std::string wanted);

private:
    std::set<std::string, std::less<>> taken_;
};

/// The named schemas of the contracts with the types' names; those that others use come first.
/// Apps may call two schemas by one name, which then get two.
class NamedSchemas {
public:
    struct Entry {
        const SchemaNode* schema;
        std::string type;
    };

    NamedSchemas(const std::vector<NamespaceContract>& namespaces, UniqueNames& names);
    const std::vector<Entry>& entries() const noexcept { return entries_; }
    /// The type of a schema with a name.
    const std::string& type_of(const SchemaNode& named) const;

private:
    void add(const SchemaNode& node, UniqueNames& names);
    const Entry* find(const SchemaNode& named) const;

    std::vector<Entry> entries_;
};

/// May be left out.
inline bool is_optional(const SchemaNode& node) {
    return node.kind == SchemaNode::Kind::optional || node.kind == SchemaNode::Kind::with_default;
}
/// Without what only says that it may be left out.
inline const SchemaNode& required_part(const SchemaNode& node) {
    return is_optional(node) ? required_part(*node.children[0]) : node;
}

/// A line on a value for those who read the types: its description, its bounds, its default; empty
/// if there is nothing that the type does not say. A named schema's own stands where that is
/// declared.
std::string documentation_of(const SchemaNode& node, bool declared_here = false);

}  // namespace moonwire::script
