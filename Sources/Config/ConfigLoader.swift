// SPDX-License-Identifier: Apache-2.0
// Finds, reads, merges and checks the configuration files.

import Glibc
import Posix

/// What the configuration depends on besides its files.
package struct Surroundings: Sendable {
    package var environment: [String: String]
    package var isRoot: Bool

    package init(environment: [String: String], isRoot: Bool) {
        self.environment = environment
        self.isRoot = isRoot
    }

    /// The user's directory, or nil.
    var home: String? { environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } }

    /// Where state is kept when STATE_DIR does not say it (systemd.exec(5), StateDirectory=).
    var stateDirectory: String {
        if let directories = environment["STATE_DIRECTORY"],
            let first = directories.split(separator: ":").first
        {
            return String(first)
        }
        let isSystemService = isRoot && environment["INVOCATION_ID"] != nil
        let own = isSystemService ? nil : Self.userStateDirectory(environment)
        return own ?? "/var/lib/ccr"
    }

    /// A user's directory for state (XDG Base Directory Specification), or nil without a home.
    package static func userStateDirectory(_ environment: [String: String]) -> String? {
        // The specification has relative paths ignored.
        if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return "\(state)/ccr" }
        return environment["HOME"].flatMap { $0.isEmpty ? nil : "\($0)/.local/state/ccr" }
    }
}

/// What reading the configuration came to.
package struct LoadedConfiguration: Sendable {
    /// The configuration, or nil when there is an error among the problems.
    package let configuration: Configuration?
    /// Everything that was found, in the order of the files.
    package let problems: [ConfigProblem]
    /// The files that were read, in the order of reading; empty for the built-in configuration.
    package let files: [String]
}

/// Reads configurations; the same loader reads again on reload.
package struct ConfigLoader {
    /// The most drop-in files that are read.
    package static let maximumDropIns = 256

    /// The configuration of the system's service. It may hold keys, so that other users may not read it.
    private static let systemPath = "/etc/ccr/config.json"

    private let files: any FileSource
    private let surroundings: Surroundings
    private let unresolved: UnresolvedReferences

    /// - Parameter unresolved: what becomes of references that cannot be resolved here.
    package init(
        files: any FileSource = DiskFiles(), surroundings: Surroundings,
        unresolved: UnresolvedReferences = .refused
    ) {
        self.files = files
        self.surroundings = surroundings
        self.unresolved = unresolved
    }

    /// Used when there is no configuration file: a first run answers without a key and without a network.
    private static let builtIn = """
        {
            "Providers": [{"name": "echo", "api_base_url": "builtin:echo"}],
            "Router": {"default": "echo,echo"}
        }
        """

    /// The places of a configuration nobody named, in the order in which they are tried.
    package var defaultPaths: [String] {
        let user = surroundings.home.map {
            ["\($0)/.config/ccr/config.json", "\($0)/.claude-code-router/config.json"]
        }
        return [Self.systemPath] + (user ?? [])
    }

    /// Reads the file at `path`, else at $CCR_CONFIG, else the first of `defaultPaths` that exists, with its drop-ins.
    package func load(path: String? = nil, overrides: ConfigOverrides = ConfigOverrides())
        -> LoadedConfiguration
    {
        var problems = ConfigProblems()
        var names: [String] = []
        guard var root = find(path, &names, &problems) else {
            return LoadedConfiguration(
                configuration: nil, problems: problems.sorted(files: names), files: names)
        }
        if let main = names.first {
            for dropIn in dropIns(beside: main, &problems) {
                names.append(dropIn)
                guard let overlay = parse(dropIn, &problems) else { continue }
                root = ConfigMerge.merge(root, overlay)
            }
        }
        let interpolation = Interpolation(
            variables: variables(beside: names.first, &problems), files: files, unresolved: unresolved)
        root = interpolation.apply(to: root, keyPath: "", problems: &problems)
        SchemaCheck.check(root, problems: &problems)
        let modelTable = modelTable(root, &names, &problems)
        var reader = ConfigurationReader(
            root, overrides: overrides, surroundings: surroundings, modelTable: modelTable, problems: problems
        )
        let configuration = reader.read()
        return LoadedConfiguration(
            configuration: reader.problems.hasErrors ? nil : configuration,
            problems: reader.problems.sorted(files: names),
            files: names
        )
    }

    // MARK: - Files

    /// The tree of the main file; its name is appended to `names` unless it is the built-in one.
    private func find(_ path: String?, _ names: inout [String], _ problems: inout ConfigProblems)
        -> ConfigNode?
    {
        let variable = surroundings.environment["CCR_CONFIG"].flatMap { $0.isEmpty ? nil : $0 }
        if let named = path ?? variable {
            names = [named]
            return parse(named, &problems)
        }
        for candidate in defaultPaths {
            do {
                _ = try files.read(candidate, limit: 0)
            } catch  where error.isAbsence {
                continue
            } catch  where error.code == EACCES && candidate == Self.systemPath && !surroundings.isRoot {
                problems.add(ConfigProblem(.note, at: nil, "\(candidate) is not for this user: passed over"))
                continue
            } catch {
                // It is there but cannot be read: said by parse, instead of taking the next silently.
            }
            names = [candidate]
            return parse(candidate, &problems)
        }
        let message =
            "no configuration file (looked for \(defaultPaths.joined(separator: ", "))): "
            + "using the embedded provider “echo” alone"
        problems.add(ConfigProblem(.note, at: nil, message))
        do {
            return try ConfigText.parse(Array(Self.builtIn.utf8), file: "(built in)")
        } catch {
            problems.add(error)
            return nil
        }
    }

    private func parse(_ path: String, _ problems: inout ConfigProblems) -> ConfigNode? {
        let bytes: [UInt8]
        do {
            bytes = try files.read(path, limit: ConfigText.maximumBytes)
        } catch {
            let reason = error.isAbsence ? "there is no such file" : "cannot be read: \(error)"
            problems.add(ConfigProblem(.error, at: Position(file: path, line: 1, column: 1), reason))
            return nil
        }
        do {
            return try ConfigText.parse(bytes, file: path)
        } catch {
            problems.add(error)
            return nil
        }
    }

    /// The entries of the file that ModelsFile names, relative to the file that says so. References count for nothing there.
    private func modelTable(
        _ root: ConfigNode, _ names: inout [String], _ problems: inout ConfigProblems
    ) -> [ModelEntry]? {
        guard let node = root["ModelsFile"], let name = node.text else { return nil }
        let path = Paths.join(Paths.directory(node.position.file), name)
        names.append(path)
        guard let file = parse(path, &problems) else { return nil }
        guard case .object(let members) = file.value, let models = members.last?.node,
            members.allSatisfy({ $0.key == "Models" })
        else {
            problems.error(file, "", "allowed is an object with the key Models and no other")
            return nil
        }
        SchemaCheck.check(models, as: "Models", problems: &problems)
        return ModelEntry.list(ConfigSection(node: file, pattern: "", path: ""), &problems)
    }

    private func dropIns(beside main: String, _ problems: inout ConfigProblems) -> [String] {
        let directory = Paths.join(Paths.directory(main), "config.d")
        let found: [String]
        do {
            found = try files.names(in: directory)
        } catch {
            let position = Position(file: directory, line: 1, column: 1)
            problems.add(ConfigProblem(.error, at: position, "cannot be read: \(error)"))
            return []
        }
        let names = found.filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }.sorted()
        if names.count > Self.maximumDropIns {
            let position = Position(file: directory, line: 1, column: 1)
            let message = "holds \(names.count) files, allowed are \(Self.maximumDropIns)"
            problems.add(ConfigProblem(.error, at: position, message))
        }
        return names.prefix(Self.maximumDropIns).map { Paths.join(directory, $0) }
    }

    /// The environment over `.env` beside the file over `.env` in the working directory.
    private func variables(beside main: String?, _ problems: inout ConfigProblems) -> [String: String] {
        var variables: [String: String] = [:]
        var paths = [".env"]
        if let main {
            let beside = Paths.join(Paths.directory(main), ".env")
            if beside != "./.env" { paths.append(beside) }
        }
        for path in paths {
            // A missing or unreadable .env is normal; a variable that is missing for it is named where it is used.
            guard let bytes = try? files.read(path, limit: DotEnv.maximumBytes) else { continue }
            guard bytes.count <= DotEnv.maximumBytes else {
                let position = Position(file: path, line: 1, column: 1)
                problems.add(
                    ConfigProblem(.error, at: position, "is larger than \(DotEnv.maximumBytes) bytes"))
                continue
            }
            variables.merge(DotEnv.parse(bytes, file: path, problems: &problems)) { _, later in later }
        }
        return variables.merging(surroundings.environment) { _, real in real }
    }
}

extension Errno {
    /// Whether the file is not there, as opposed to there and unreadable.
    var isAbsence: Bool { code == ENOENT || code == ENOTDIR }
}
