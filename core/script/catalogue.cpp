#include "core/script/catalogue.hpp"

#include <algorithm>
#include <iterator>
#include <set>

namespace moonwire::script {

Catalogue::Changes Catalogue::compare(FoundScripts found) {
    std::lock_guard lock(mutex_);
    std::set<std::string> broken;
    for (const LoadError& error : found.errors) broken.insert(error.file);
    const auto lacks_files = [&](const std::string& name) {
        const auto served = served_.find(name);
        return served != served_.end() &&
               std::any_of(served->second.files.begin(), served->second.files.end(),
                           [&](const ScriptFile& file) { return broken.contains(file.path); });
    };

    Changes changes;
    std::vector<NamespaceSources> again;
    for (const auto& [name, sources] : served_)
        if (!found.namespaces.contains(name) && !lacks_files(name)) changes.deleted.push_back(name);
    std::erase_if(failed_, [&](const auto& each) { return !found.namespaces.contains(each.first); });
    for (auto& [name, sources] : found.namespaces) {
        if (lacks_files(name)) continue;
        const auto failed = failed_.find(name);
        if (failed != failed_.end() && is_same_code(failed->second.sources, sources)) {
            again.push_back(std::move(sources));
            continue;
        }
        if (failed != failed_.end()) failed_.erase(failed);
        const auto served = served_.find(name);
        if (served == served_.end() || !is_same_code(served->second, sources))
            changes.changed.push_back(std::move(sources));
    }
    std::move(again.begin(), again.end(), std::back_inserter(changes.changed));
    file_errors_ = std::move(found.errors);
    return changes;
}

void Catalogue::serve(const NamespaceSources& sources) {
    std::lock_guard lock(mutex_);
    served_.insert_or_assign(sources.name, sources);
    failed_.erase(sources.name);
}

void Catalogue::fail(const NamespaceSources& sources, LoadError error) {
    std::lock_guard lock(mutex_);
    failed_.insert_or_assign(sources.name, Failed{sources, std::move(error)});
    ++failures_;
}

void Catalogue::forget(const std::string& name) {
    std::lock_guard lock(mutex_);
    served_.erase(name);
    failed_.erase(name);
}

std::vector<LoadError> Catalogue::errors() const {
    std::lock_guard lock(mutex_);
    std::vector<LoadError> errors = file_errors_;
    for (const auto& [name, failed] : failed_) errors.push_back(failed.error);
    return errors;
}

std::uint64_t Catalogue::failures() const {
    std::lock_guard lock(mutex_);
    return failures_;
}

std::optional<LoadError> Catalogue::error_of(const std::string& name) const {
    std::lock_guard lock(mutex_);
    const auto failed = failed_.find(name);
    if (failed == failed_.end()) return std::nullopt;
    return failed->second.error;
}

}  // namespace moonwire::script
