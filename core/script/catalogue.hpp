#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/script/app_files.hpp"

namespace moonwire::script {

/// What each namespace is made of, and what was tried in vain: tells what a look at the files asks
/// for. Any thread.
class Catalogue {
public:
    struct Changes {
        std::vector<NamespaceSources> changed;  // or new; in the end those that failed before
        std::vector<std::string> deleted;
    };

    /// Compares what was found with what serves. What failed before is to be tried again: others,
    /// or the state, may have been the cause. A namespace one of whose files can't be read or
    /// understood stays as it is.
    Changes compare(FoundScripts found);

    /// The namespace serves this, or is about to.
    void serve(const NamespaceSources& sources);
    /// It was tried and did not load.
    void fail(const NamespaceSources& sources, LoadError error);
    void forget(const std::string& name);

    /// What is wrong now: of files, then of namespaces in order of their names.
    std::vector<LoadError> errors() const;
    /// What is wrong with one namespace's code, or nothing.
    std::optional<LoadError> error_of(const std::string& name) const;
    /// How often one did not load, so far.
    std::uint64_t failures() const;

private:
    struct Failed {
        NamespaceSources sources;
        LoadError error;
    };

    mutable std::mutex mutex_;
    std::map<std::string, NamespaceSources> served_;
    std::map<std::string, Failed> failed_;
    std::uint64_t failures_ = 0;
    std::vector<LoadError> file_errors_;
};

}  // namespace moonwire::script
