// A proxy before the server that changes headers of requests and JSON responses; streams pass as they are.
import { once } from 'node:events';
import { createServer, request } from 'node:http';

/** @param {string} url @param {{ headers?(headers: object): object, answer?(text: string): string }} change */
export async function answeringProxy(url, { headers: ask = (headers) => headers, answer = (text) => text }) {
  const { hostname, port, pathname } = new URL(url);
  const server = createServer((asked, answered) => {
    const { 'accept-encoding': _, host: __, ...headers } = asked.headers;
    const forwarded = request(
      { hostname, port, path: asked.url, method: asked.method, headers: ask(headers) },
      (response) => {
        const { 'content-length': _, ...headers } = response.headers;
        answered.writeHead(response.statusCode ?? 502, headers);
        if (!/json/.test(headers['content-type'] ?? '')) return response.pipe(answered);
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => answered.end(answer(Buffer.concat(chunks).toString())));
      },
    );
    answered.on('close', () => forwarded.destroy());
    forwarded.on('error', () => answered.destroy());
    asked.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}${pathname}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
