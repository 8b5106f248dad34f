import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoDatabase;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.QueryResult;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.backend.h2.H2Collection;
import de.bwaldvogel.mongo.backend.h2.H2Database;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.MongoDatabaseHandler;
import de.bwaldvogel.mongo.wire.MongoExceptionHandler;
import de.bwaldvogel.mongo.wire.MongoWireMessageEncoder;
import de.bwaldvogel.mongo.wire.MongoWireProtocolHandler;
import de.bwaldvogel.mongo.wire.MongoWireReplyEncoder;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.ByteToMessageCodec;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

/** Serves the MongoDB protocol from one file. Arguments: FILE HOST PORT; port 0 takes a free one. */
public class Launcher {
    /** What MongoDB 7.0 says of itself: the Go driver refuses what is older than 4.4. */
    private static final MongoVersion VERSION = new MongoVersion() {
        @Override public List<Integer> getVersionArray() { return List.of(7, 0, 0); }
        @Override public int getWireVersion() { return 21; }
    };

    private static MVStore store;

    public static void main(String[] args) {
        store = new MVStore.Builder().fileName(args[0]).autoCommitDisabled().open();
        MongoBackend backend = new Backend().version(VERSION);
        MultiThreadIoEventLoopGroup loops = new MultiThreadIoEventLoopGroup(NioIoHandler.newFactory());
        DefaultChannelGroup channels = new DefaultChannelGroup(loops.next());
        Channel channel = new ServerBootstrap().group(loops).channel(NioServerSocketChannel.class).childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(new ChannelInitializer<SocketChannel>() {
                @Override public void initChannel(SocketChannel c) {
                    c.pipeline().addLast(new Binaries(), new MongoWireReplyEncoder(), new MongoWireMessageEncoder(), new MongoWireProtocolHandler(),
                        new MongoDatabaseHandler(backend, channels), new MongoExceptionHandler());
                }
            }).bind(args[1], Integer.parseInt(args[2])).syncUninterruptibly().channel();
        System.out.println("listening on " + args[1] + ":" + ((InetSocketAddress) channel.localAddress()).getPort());
    }

    /**
     * Handles one command at a time and writes the file before it answers, so that a kill loses nothing that was acknowledged and
     * finds no command half done. Answers are copies: the server changes documents in place.
     */
    private static class Backend extends H2Backend {
        private static final Set<String> READS = Set.of("find", "aggregate", "count", "getMore", "listIndexes", "hello", "ismaster", "isMaster", "ping");

        Backend() {
            super(store);
        }

        @Override public synchronized Document handleMessage(MongoMessage message) {
            try {
                return super.handleMessage(message).cloneDeeply();
            } finally {
                if (!READS.contains(message.getDocument().keySet().iterator().next())) {
                    commit();
                }
            }
        }

        @Override protected MongoDatabase openOrCreateDatabase(String name) {
            return new Database(name, getCursorRegistry());
        }
    }

    private static class Database extends H2Database {
        Database(String name, CursorRegistry cursors) {
            super(name, store, cursors);
        }

        @Override protected H2Collection openOrCreateCollection(String name, CollectionOptions options) {
            String full = getDatabaseName() + "." + name;
            return new ById(this, name, options, store.openMap("databases." + full), store.openMap("meta." + full), cursorRegistry);
        }
    }

    /** Reads by _id what a filter bounds by it. The server itself does that only for filters that hold nothing else. */
    private static class ById extends H2Collection {
        private final MVMap<Object, Document> documents;

        ById(MongoDatabase database, String name, CollectionOptions options, MVMap<Object, Document> documents, MVMap<String, Object> meta, CursorRegistry cursors) {
            super(database, name, options, documents, meta, cursors);
            this.documents = documents;
        }

        @Override protected QueryResult queryDocuments(Document query, Document order, int skip, int limit, int batch, Document fields) {
            List<Object> ids = candidates(query.get("_id"));
            return ids == null ? super.queryDocuments(query, order, skip, limit, batch, fields) : matchDocuments(query, ids, order, skip, limit, batch, fields);
        }

        private List<Object> candidates(Object id) {
            List<Object> out = new ArrayList<>();
            if (id instanceof String) {
                out.add(id);
            } else if (id instanceof Document wanted && wanted.get("$in") instanceof Collection<?> list) {
                out.addAll(list);
            } else if (id instanceof Document range && range.get("$gt") instanceof String from && range.get("$lt") instanceof String to) {
                documents.cursor(from, to, false).forEachRemaining(out::add);
            } else {
                return null;
            }
            out.removeIf(key -> !documents.containsKey(key));
            return out;
        }
    }

    /**
     * Lets binary values of all subtypes pass. The server knows three of them and closes the connection at others, among them the one
     * of encrypted values; here these are values of the generic subtype, whose end says what they are.
     */
    private static class Binaries extends ByteToMessageCodec<ByteBuf> {
        private static final int OP_MSG = 2013;
        private static final long MARK = 0x6d6f6f72696e67ffL;
        private static final int MARK_BYTES = 9;

        @Override protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
            if (in.readableBytes() >= 4 && in.readableBytes() >= in.getIntLE(in.readerIndex())) {
                ByteBuf message = context.alloc().buffer();
                message(in, message, true);
                out.add(message);
            }
        }

        @Override protected void encode(ChannelHandlerContext context, ByteBuf in, ByteBuf out) {
            while (in.isReadable()) {
                message(in, out, false);
            }
        }

        private static void message(ByteBuf in, ByteBuf out, boolean toServer) {
            int start = out.writerIndex();
            int end = in.readerIndex() + in.getIntLE(in.readerIndex());
            boolean plain = in.getIntLE(in.readerIndex() + 12) != OP_MSG;
            out.writeBytes(in, plain ? end - in.readerIndex() : 20);
            while (in.readerIndex() < end) {
                byte kind = in.readByte();
                out.writeByte(kind);
                if (kind == 0) {
                    document(in, out, toServer);
                    continue;
                }
                int section = out.writerIndex();
                int last = in.readerIndex() + in.getIntLE(in.readerIndex());
                out.writeBytes(in, 4);
                text(in, out);
                while (in.readerIndex() < last) {
                    document(in, out, toServer);
                }
                out.setIntLE(section, out.writerIndex() - section);
            }
            out.setIntLE(start, out.writerIndex() - start);
        }

        private static void document(ByteBuf in, ByteBuf out, boolean toServer) {
            int start = out.writerIndex();
            out.writeBytes(in, 4);
            for (byte type = in.readByte(); ; type = in.readByte()) {
                out.writeByte(type);
                if (type == 0) {
                    break;
                }
                text(in, out);
                value(type, in, out, toServer);
            }
            out.setIntLE(start, out.writerIndex() - start);
        }

        private static void value(byte type, ByteBuf in, ByteBuf out, boolean toServer) {
            switch (type) {
                case 3, 4 -> document(in, out, toServer);
                case 5 -> binary(in, out, toServer);
                case 2, 13, 14 -> out.writeBytes(in, 4 + in.getIntLE(in.readerIndex()));
                case 1, 9, 17, 18 -> out.writeBytes(in, 8);
                case 7 -> out.writeBytes(in, 12);
                case 8 -> out.writeBytes(in, 1);
                case 16 -> out.writeBytes(in, 4);
                case 19 -> out.writeBytes(in, 16);
                case 6, 10, -1, 127 -> { }
                case 11 -> {
                    text(in, out);
                    text(in, out);
                }
                default -> throw new IllegalArgumentException("a value of type " + type);
            }
        }

        private static void text(ByteBuf in, ByteBuf out) {
            out.writeBytes(in, in.bytesBefore((byte) 0) + 1);
        }

        private static void binary(ByteBuf in, ByteBuf out, boolean toServer) {
            int length = in.readIntLE();
            byte subtype = in.readByte();
            int mark = in.readerIndex() + length - MARK_BYTES;
            if (toServer && subtype != 0 && subtype != 3 && subtype != 4) {
                out.writeIntLE(length + MARK_BYTES).writeByte(0).writeBytes(in, length).writeLong(MARK).writeByte(subtype);
            } else if (!toServer && subtype == 0 && length >= MARK_BYTES && in.getLong(mark) == MARK) {
                out.writeIntLE(length - MARK_BYTES).writeByte(in.getByte(mark + 8)).writeBytes(in, length - MARK_BYTES);
                in.skipBytes(MARK_BYTES);
            } else {
                out.writeIntLE(length).writeByte(subtype).writeBytes(in, length);
            }
        }
    }
}
