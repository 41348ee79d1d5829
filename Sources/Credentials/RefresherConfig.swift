// SPDX-License-Identifier: Apache-2.0
// What the refresher needs of the configuration. It holds the places of secrets and no secret.

package import Config
import Crypto
package import IPC

package struct RefresherConfig: Equatable, Sendable, WireCodable {
    /// Holds vault/, tokens/ and the socket.
    package var directory: String
    package var credentials: [CredentialSpec]

    package init(_ configuration: Configuration) {
        directory = Self.directory(below: configuration.stateDirectory)
        credentials = configuration.providers.flatMap { provider in
            provider.credentials.map { CredentialSpec($0, of: provider) }
        }
    }

    /// The directory of everything about credentials in a state directory.
    package static func directory(below stateDirectory: String) -> String { stateDirectory + "/credentials" }

    /// The directory of tokens.db, which workers read.
    package static func tokenDirectory(below stateDirectory: String) -> String {
        directory(below: stateDirectory) + "/tokens"
    }

    /// The name of a worker's channel. It stands in LISTEN_FDNAMES, which has ":" between names, as a provider's name
    /// may have.
    package static func channelName(provider: String) -> String {
        "worker-" + Base64.encodeURL(Array(provider.utf8))
    }

    /// The provider of a channel; nil for another name.
    package static func provider(ofChannel name: String) -> String? {
        guard name.hasPrefix("worker-"), let bytes = Base64.decodeURL(name.utf8.dropFirst(7)) else {
            return nil
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// Where a refresher listens for commands when nobody passes it a socket.
    package static func socketPath(below stateDirectory: String) -> String {
        directory(below: stateDirectory) + "/refresher.sock"
    }

    /// The directories that must be readable for the secrets that stand in files. A file that is replaced is another
    /// file, so its directory counts.
    package var secretDirectories: [String] {
        credentials.flatMap { [$0.secret, $0.clientSecret] }.compactMap { source in
            guard case .file(let path)? = source, let slash = path.lastIndex(of: "/") else { return nil }
            return slash == path.startIndex ? "/" : String(path[..<slash])
        }
    }

    /// The variables that hold secrets, and those that programs need which print tokens.
    package var variables: [String] {
        let sources = credentials.flatMap { [$0.secret, $0.clientSecret] }
        let secrets = sources.compactMap { source -> String? in
            guard case .environment(let name)? = source else { return nil }
            return name
        }
        let commands = credentials.filter { !$0.command.isEmpty }
        return secrets + (commands.isEmpty ? [] : ["HOME"]) + commands.flatMap(\.commandEnvironment)
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(directory)
        writer.put(list: credentials) { $0.put($1) }
    }

    package init(from reader: inout WireReader) throws(WireError) {
        directory = try reader.getString()
        credentials = try reader.getList { (reader) throws(WireError) in try reader.get(CredentialSpec.self) }
    }
}
