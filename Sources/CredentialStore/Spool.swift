// SPDX-License-Identifier: Apache-2.0
// A place for one new secret between its arrival and its commit. The file has its full size from the start, so that
// writing into it works when the disk is full.
// Source: fallocate(2), fdatasync(2).

package import Config
import Crypto
import Glibc
package import IPC
import Posix

/// What is put aside: everything that the commit needs.
package struct SpooledGrant: Equatable, Sendable, WireCodable {
    package var intent: Int
    package var baseGeneration: UInt64
    /// Fingerprint of the secret that was sent.
    package var sentFingerprint: [UInt8]
    package var refresh: Secret?
    package var token: PublishedToken
    package var lifetime: Int?
    /// When it arrived, in seconds since 1970.
    package var arrivedAt: Int
    package var accountID: String

    package init(
        intent: Int, baseGeneration: UInt64, sentFingerprint: [UInt8], refresh: Secret?,
        token: PublishedToken,
        lifetime: Int?, arrivedAt: Int, accountID: String
    ) {
        self.intent = intent
        self.baseGeneration = baseGeneration
        self.sentFingerprint = sentFingerprint
        self.refresh = refresh
        self.token = token
        self.lifetime = lifetime
        self.arrivedAt = arrivedAt
        self.accountID = accountID
    }

    package func encode(to writer: inout WireWriter) {
        writer.put(UInt64(intent))
        writer.put(baseGeneration)
        writer.put(sentFingerprint)
        writer.put(refresh) { $0.put($1.expose()) }
        writer.put(token)
        writer.put(lifetime) { $0.put(UInt64($1)) }
        writer.put(UInt64(arrivedAt))
        writer.put(accountID)
    }

    package init(from reader: inout WireReader) throws(WireError) {
        intent = Int(clamping: try reader.get(UInt64.self))
        baseGeneration = try reader.get()
        sentFingerprint = try reader.getArray()
        refresh = try reader.getOptional { (reader) throws(WireError) in Secret(bytes: try reader.getArray())
        }
        token = try reader.get()
        lifetime = try reader.getOptional { (reader) throws(WireError) in
            Int(clamping: try reader.get(UInt64.self))
        }
        arrivedAt = Int(clamping: try reader.get(UInt64.self))
        accountID = try reader.getString()
    }
}

/// The file of one credential.
package final class Spool {
    package static let bytes = 64 << 10
    private static let magic = Array("CCRSPOOL".utf8)

    private let path: String
    private let credential: String
    private let descriptor: FileDescriptor

    /// Opens the file, or makes it with its full size.
    package init(directory: String, credential: String) throws(StoreError) {
        path = Self.path(of: credential, in: directory)
        self.credential = credential
        try PrivateFile.checkFile(path)
        let raw = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw .system(path, Errno("open")) }
        descriptor = FileDescriptor(owning: raw)
        do throws(Errno) {
            let size = lseek(raw, 0, SEEK_END)
            guard size >= 0 else { throw Errno("lseek") }
            if size < off_t(Self.bytes) {
                try overwrite([UInt8](repeating: 0, count: Self.bytes - Int(size)), at: Int(size))
                try PrivateFile.syncDirectory(of: path)
            }
        } catch {
            throw .system(path, error)
        }
    }

    /// Names may hold what file names may not.
    private static func path(of credential: String, in directory: String) -> String {
        "\(directory)/\(Base64.encodeURL(Array(credential.utf8)))"
    }

    /// The credentials, configured or not, for which a directory holds something, by name.
    package static func waiting(in directory: String) throws(StoreError) -> [String] {
        guard let entries = opendir(directory) else { throw .system(directory, Errno("opendir")) }
        defer { closedir(entries) }
        var found: [String] = []
        while let entry = readdir(entries) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            // Copies of what could not be read have other names.
            guard let decoded = Base64.decodeURL(name.utf8), !decoded.isEmpty else { continue }
            let credential = String(decoding: decoded, as: UTF8.self)
            guard path(of: credential, in: directory) == "\(directory)/\(name)",
                try Spool(directory: directory, credential: credential).holdsSomething()
            else { continue }
            found.append(credential)
        }
        return found.sorted()
    }

    /// Removes the file of a credential that is not used any more.
    package static func remove(of credential: String, in directory: String) throws(StoreError) {
        let path = path(of: credential, in: directory)
        if unlink(path) != 0, errno != ENOENT { throw .system(path, Errno("unlink")) }
    }

    /// Whether `load` would find anything.
    private func holdsSomething() throws(StoreError) -> Bool {
        var header = [UInt8](repeating: 0, count: Self.magic.count)
        guard pread(descriptor.raw, &header, header.count, 0) == header.count else {
            throw .system(path, Errno("pread"))
        }
        return header.contains { $0 != 0 }
    }

    /// Writes to the reserved part of the file: fails when a real write would.
    package func probe() throws(StoreError) {
        try wrapped { () throws(Errno) in
            try overwrite([UInt8](repeating: 0, count: 4096), at: Self.bytes - 4096)
        }
    }

    /// Puts a grant aside; it is on the disk when this returns.
    package func store(_ grant: SpooledGrant, keys: KeyRing) throws(StoreError) {
        var writer = WireWriter()
        writer.put(grant)
        let key = keys.keys(for: .spool)[0]
        let sealed = Envelope.seal(Secret(bytes: writer.bytes), key, place)
        var record = Self.magic
        withUnsafeBytes(of: UInt32(sealed.count).bigEndian) { record += Array($0) }
        record += sealed
        guard record.count <= Self.bytes - 4096 else { throw .file("\(path): the answer does not fit") }
        try wrapped { () throws(Errno) in try overwrite(record) }
    }

    /// What the file holds.
    package enum Content: Equatable {
        case nothing
        case grant(SpooledGrant)
        /// Something that does not open here.
        case unreadable
    }

    package func load(keys: KeyRing) throws(StoreError) -> Content {
        var bytes = [UInt8](repeating: 0, count: Self.bytes)
        guard pread(descriptor.raw, &bytes, Self.bytes, 0) == Self.bytes else {
            throw .system(path, Errno("pread"))
        }
        let header = Self.magic.count + 4
        if bytes.prefix(header).allSatisfy({ $0 == 0 }) { return .nothing }
        guard bytes.starts(with: Self.magic) else { return .unreadable }
        let size = bytes[Self.magic.count..<header].reduce(0) { $0 << 8 | Int($1) }
        guard size <= Self.bytes - header,
            let opened = Envelope.open(Array(bytes[header..<(header + size)]), keys.keys(for: .spool), place)
        else { return .unreadable }
        return opened.expose().withUnsafeBytes { view in
            var reader = WireReader(view)
            guard let grant = try? reader.get(SpooledGrant.self) else { return .unreadable }
            return .grant(grant)
        }
    }

    /// Overwrites what was put aside.
    package func wipe() throws(StoreError) {
        try wrapped { () throws(Errno) in
            try overwrite([UInt8](repeating: 0, count: Self.bytes - 4096))
        }
    }

    /// Keeps a copy of what cannot be read, beside the file.
    package func keepAside(now: Int) throws(StoreError) {
        var bytes = [UInt8](repeating: 0, count: Self.bytes)
        guard pread(descriptor.raw, &bytes, Self.bytes, 0) == Self.bytes else {
            throw .system(path, Errno("pread"))
        }
        try PrivateFile.write("\(path).unreadable-\(now)", bytes)
        try wipe()
    }

    private var place: Envelope.Place {
        Envelope.Place(table: "spool", column: "grant", credential: credential, generation: 0)
    }

    private func overwrite(_ bytes: [UInt8], at offset: Int = 0) throws(Errno) {
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes {
                pwrite(descriptor.raw, $0.baseAddress, $0.count, off_t(offset + done))
            }
            if count < 0 {
                if errno == EINTR { continue }
                throw Errno("pwrite")
            }
            done += count
        }
        guard fdatasync(descriptor.raw) == 0 else { throw Errno("fdatasync") }
    }

    private func wrapped(_ body: () throws(Errno) -> Void) throws(StoreError) {
        do throws(Errno) {
            try body()
        } catch {
            throw .system(path, error)
        }
    }
}
