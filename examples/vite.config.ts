import { transformAsync } from '@babel/core';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

/** Replaces the graphql tags of Relay by what its compiler generated. */
const relay: Plugin = {
  name: 'relay',
  async transform(code, id) {
    if (!id.includes('/web/src/relay/') || !code.includes('graphql`')) return;
    const result = await transformAsync(code, {
      filename: id,
      plugins: [['relay', { eagerEsModules: true }]],
      sourceMaps: true,
      configFile: false,
    });
    return { code: result?.code ?? code, map: result?.map };
  },
};

export default defineConfig({
  root: 'web',
  plugins: [react(), relay],
  build: {
    outDir: process.env.OUT_DIR ?? 'dist',
    emptyOutDir: true,
    rolldownOptions: { input: ['web/index.html', 'web/urql.html', 'web/relay.html'] },
  },
});
