#pragma once

#include <span>

#include "core/base/embedded_file.hpp"

namespace moonwire::script {

/// What editors and linters need to know of the API: definitions for lua-language-server (*.lua),
/// its settings (luarc.json) and luacheck's (luacheckrc).
std::span<const EmbeddedFile> annotation_files();

}  // namespace moonwire::script
