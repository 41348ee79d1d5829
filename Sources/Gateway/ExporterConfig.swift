// SPDX-License-Identifier: Apache-2.0
// What the exporter needs to know; the supervisor puts it into a sealed memfd named "config".

package import IPC

/// The exporter's configuration.
package struct ExporterConfig: Equatable, Sendable, WireCodable {
    /// The directory that holds usage.db; it exists and the exporter may write there.
    package var stateDirectory: String
    /// The names of the configured providers: the only ones that get a label value of their own.
    package var providers: [String]
    /// The names of the client keys, and the kinds of requests; no others get a label value of their own.
    package var keys: [String]
    package var kinds: [String]
    /// The version shown in ccr_build_info.
    package var version: String

    package init(
        stateDirectory: String, providers: [String], keys: [String] = [], kinds: [String] = [],
        version: String
    ) {
        self.stateDirectory = stateDirectory
        self.providers = providers
        self.keys = keys
        self.kinds = kinds
        self.version = version
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(stateDirectory)
        for list in [providers, keys, kinds] { writer.put(list: list) { $0.put($1) } }
        writer.put(version)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        stateDirectory = try reader.getString()
        providers = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        keys = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        kinds = try reader.getList { (reader) throws(WireError) in try reader.getString() }
        version = try reader.getString()
    }
}
