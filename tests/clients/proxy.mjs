// A TCP proxy in front of the server whose connections can be cut.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** A proxy before `url`; its own `url`, `cut()` to end every connection, and `close()`. */
export async function proxyBefore(url) {
  const { hostname, port, pathname } = new URL(url);
  const sockets = new Set();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ]) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => sockets.forEach((socket) => socket.destroy());
  return {
    url: `ws://127.0.0.1:${server.address().port}${pathname}`,
    connections: () => sockets.size / 2,
    cut,
    close: () => {
      cut();
      server.close();
    },
  };
}
