import { defineConfig } from 'vite'

// One stylesheet and a few small scripts with fixed names; fonts beside them, and the reader of codes that card.js fetches.
export default defineConfig({
  base: '/assets/',
  publicDir: 'public',
  css: { preprocessorOptions: { scss: { quietDeps: true, loadPaths: ['node_modules'] } } },
  build: {
    outDir: '../src/janani/kernel/static',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: false,
    chunkSizeWarningLimit: 800,
    rollupOptions: {
      checks: { pluginTimings: false },
      input: { janani: 'src/janani.js', midwife: 'src/midwife.js', callback: 'src/callback.js', card: 'src/card.js' },
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: '[name].js',
        assetFileNames: (asset) => (asset.names?.[0]?.endsWith('.css') ? '[name][extname]' : 'fonts/[name][extname]')
      }
    }
  }
})
