#pragma once

#include <memory>

#include "core/script/generation.hpp"

namespace moonwire::script {

/// What `namespace "/x"` returns: where a file registers its handlers, and the chain to everybody.
struct NamespaceObject {
    std::shared_ptr<Generation> generation;
};

}  // namespace moonwire::script
