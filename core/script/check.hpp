#pragma once

#include <string>
#include <vector>

#include "core/script/host.hpp"

namespace moonwire::script {

/// What `moonwire check` says of a script.
struct Problem {
    std::string file;  // as in LoadError
    int line = 0;      // 0: the whole file
    int column = 0;    // 0: not known
    bool is_warning = false;
    std::string message;
};

/// Reads, compiles and loads everything in scratch states without serving; says all that is wrong,
/// in order of files and lines. Any thread.
std::vector<Problem> check_scripts(const HostOptions& options);

}  // namespace moonwire::script
