import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** What the page may load, the same as the server's header; written into the built page so that it holds wherever it is served. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  // Monaco and the drag bars set inline styles.
  "style-src 'self' 'unsafe-inline'",
  // GraphiQL's and Monaco's fonts and small images are part of their style sheets.
  "font-src 'self' data:",
  "img-src 'self' data:",
  "worker-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
].join('; ');

function contentSecurityPolicy(): Plugin {
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: CONTENT_SECURITY_POLICY },
        injectTo: 'head-prepend',
      },
    ],
  };
}

const server = process.env.PLATFORM_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: './',
  plugins: [react(), contentSecurityPolicy()],
  build: {
    target: 'es2022',
    // The editor and the schema tools are one page: fewer, larger files; the code editor is what is large.
    chunkSizeWarningLimit: 4000,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      // GraphiQL's files carry a hint for the React compiler, which this build does not run.
      onLog: (level, log, report) => {
        if (log.code !== 'MODULE_LEVEL_DIRECTIVE') report(level, log);
      },
    },
  },
  worker: { format: 'es' },
  server: {
    // `npm run dev` shows the page against a server that is already running.
    proxy: {
      '/graphql': { target: server, ws: true },
      '/playground': { target: server },
    },
  },
  test: { include: ['src/**/*.test.ts', 'e2e/mock/*.test.ts'] },
});
