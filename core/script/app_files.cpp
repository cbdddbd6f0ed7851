#include "core/script/app_files.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

#include "core/script/namespace_literal.hpp"

namespace moonwire::script {
namespace {

namespace fs = std::filesystem;

constexpr const char* kShared = "shared";

enum class Kind { script, test };

bool is_kind(Kind kind, const fs::path& path) {
    const std::string name = path.filename().string();
    return name.ends_with(".lua") && !name.starts_with('.') &&
           name.ends_with("_test.lua") == (kind == Kind::test);
}

bool is_skipped_folder(const fs::path& path) {
    const std::string name = path.filename().string();
    return name.starts_with('.') || name == "public";
}

bool is_inside(const fs::path& canonical_root, const fs::path& path) {
    std::error_code error;
    const fs::path real = fs::canonical(path, error);
    if (error) return false;
    return std::mismatch(canonical_root.begin(), canonical_root.end(), real.begin(), real.end())
               .first == canonical_root.end();
}

/// Relative paths of the files of a kind below `folder`. Links to folders are not followed: inside the root
/// they would lead to the same files again, or round in a circle.
void collect(Kind kind, const fs::path& root, const fs::path& folder,
             std::vector<fs::path>& found) {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
        const bool link = entry.is_symlink(error);
        if (entry.is_directory(error)) {
            if (!link && !is_skipped_folder(entry.path())) collect(kind, root, entry.path(), found);
        } else if (link && !is_inside(root, entry.path())) {
            continue;
        } else if (entry.is_regular_file(error) && is_kind(kind, entry.path())) {
            found.push_back(entry.path().lexically_relative(root));
        }
    }
}

/// Nothing, and why, if it can't be read.
std::optional<std::string> read_file(const fs::path& path, std::error_code& error) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (file) {
        std::string text{std::istreambuf_iterator<char>(file), {}};
        if (!file.bad()) return text;
    }
    error = {errno, std::generic_category()};
    return std::nullopt;
}

/// What was listed may have been removed by the time it is read: that is no error.
bool is_gone(const std::error_code& error) {
    return error == std::errc::no_such_file_or_directory;
}

using Files = std::vector<std::pair<fs::path, ScriptFile>>;

/// Reads a folder's files of a kind, in path order; nothing if it can't be read. Their paths begin
/// with `name`.
std::optional<Files> read_files(Kind kind, const fs::path& folder, const std::string& name,
                                std::vector<LoadError>& errors) {
    Files files;
    std::error_code error;
    const fs::path root = fs::canonical(folder, error);
    if (error || !fs::is_directory(root, error)) {
        if (!is_gone(error))
            errors.push_back({folder.string(), 0, "the app's folder can't be read"});
        return std::nullopt;
    }
    std::vector<fs::path> paths;
    collect(kind, root, root, paths);
    std::sort(paths.begin(), paths.end());
    for (fs::path& relative : paths) {
        ScriptFile file;
        file.path = name + "/" + relative.generic_string();
        if (auto source = read_file(root / relative, error)) {
            file.source = *std::move(source);
            files.emplace_back(std::move(relative), std::move(file));
        } else if (!is_gone(error)) {
            errors.push_back({file.path, 0, "can't be read"});
        }
    }
    return files;
}

/// Its modules have the same names for who shares them and for their tests.
bool is_shared_folder(const App& app) {
    std::error_code error;
    return fs::equivalent(app.folder, app.shared, error) && !error;
}

class Finder {
public:
    /// With `tests` they are read, too.
    void add(const App& app, FoundTests* tests = nullptr) {
        Files files;
        if (!is_shared_folder(app)) {
            auto read = read_files(Kind::script, app.folder, app.name, found_.errors);
            if (!read) return;
            files = *std::move(read);
        }
        auto sources = std::make_shared<AppSources>();
        sources->app = app;
        for (auto& [relative, file] : files)
            if (app.demo || relative != kDemoFile) add_file(sources, relative, std::move(file));
        add_shared(*sources);
        if (tests) add_tests(sources, *tests);
        found_.apps.push_back(std::move(sources));
    }
    FoundScripts take() { return std::move(found_); }

private:
    using Modules = std::map<std::string, ScriptFile, std::less<>>;

    void add_shared(AppSources& sources) {
        const App& app = sources.app;
        std::error_code error;
        if (app.shared.empty() || fs::is_directory(fs::symlink_status(app.folder / kShared, error)))
            return;
        const auto [known, is_new] = shared_.try_emplace(app.shared);
        if (is_new) known->second = read_shared(app.shared);
        sources.modules.insert(known->second.begin(), known->second.end());
        found_.shared.insert(known->second.begin(), known->second.end());
    }

    Modules read_shared(const fs::path& folder) {
        Modules modules;
        std::error_code error;
        if (!fs::is_directory(folder, error)) return modules;
        auto files = read_files(Kind::script, folder, kShared, found_.errors);
        if (!files) return modules;
        for (auto& [relative, file] : *files) {
            const NamespaceLiteral literal = find_namespace(file.source);
            if (literal.name || !literal.error.empty())
                found_.errors.push_back(
                    {file.path, literal.line, "apps share modules only, which call no namespace"});
            else modules.emplace(module_name(kShared / relative), std::move(file));
        }
        return modules;
    }

    void add_tests(const std::shared_ptr<AppSources>& sources, FoundTests& tests) {
        auto files = read_files(Kind::test, sources->app.folder, sources->app.name, tests.errors);
        if (!files) return;
        for (auto& [relative, file] : *files) {
            if (find_namespace(file.source).name) add_file(sources, relative, std::move(file));
            else tests.tests.push_back(std::move(file));
        }
    }

    void add_file(const std::shared_ptr<AppSources>& sources, const fs::path& relative,
                  ScriptFile file) {
        const NamespaceLiteral literal = find_namespace(file.source);
        if (!literal.error.empty()) {
            found_.errors.push_back({file.path, literal.line, literal.error});
        } else if (!literal.name) {
            sources->modules.emplace(module_name(relative), std::move(file));
        } else {
            add_namespace_file(sources, std::move(file), *literal.name, literal.line);
        }
    }

    void add_namespace_file(const std::shared_ptr<AppSources>& sources, ScriptFile file,
                            const std::string& name, int line) {
        if (!name.starts_with('/') || name.find_first_of(",?# \t\r\n") != std::string::npos) {
            found_.errors.push_back(
                {file.path, line,
                 "a namespace starts with '/' and has no ',', '?', '#' or blanks: \"" + name +
                     "\""});
            return;
        }
        NamespaceSources& nsp = found_.namespaces[name];
        if (nsp.app && nsp.app != sources) {
            found_.errors.push_back({file.path, line,
                                     "namespace \"" + name + "\" belongs to another app already: " +
                                         nsp.files.front().path});
            return;
        }
        nsp.name = name;
        nsp.app = sources;
        nsp.files.push_back(std::move(file));
    }

    FoundScripts found_;
    std::map<fs::path, Modules> shared_;  // by folder
};

}  // namespace

bool is_same_code(const NamespaceSources& before, const NamespaceSources& now) {
    if (before.app->app.name != now.app->app.name || before.files != now.files) return false;
    const auto source_of = [](const NamespaceSources& sources, const std::string& module) {
        const auto found = sources.app->modules.find(module);
        return found == sources.app->modules.end() ? nullptr : &found->second;
    };
    for (const std::string& module : before.used->names()) {
        const ScriptFile* then = source_of(before, module);
        const ScriptFile* there = source_of(now, module);
        if ((then == nullptr) != (there == nullptr) || (then && *then != *there)) return false;
    }
    return true;
}

std::string module_name(const fs::path& relative) {
    std::string name = relative.generic_string();
    name.erase(name.size() - std::string_view(".lua").size());
    std::replace(name.begin(), name.end(), '/', '.');
    return name;
}

FoundScripts find_scripts(const std::vector<App>& apps) {
    Finder finder;
    for (const App& app : apps) finder.add(app);
    return finder.take();
}

FoundTests find_tests(const App& app) {
    FoundTests found;
    Finder finder;
    finder.add(app, &found);
    found.scripts = finder.take();
    return found;
}

}  // namespace moonwire::script
