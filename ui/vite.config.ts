/// <reference types="vitest/config" />
import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const server = "http://127.0.0.1:5050";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    outDir: "../src/tracelake/server/ui",
    emptyOutDir: true,
    manifest: true,
    // Inlined assets would be data: addresses, which `default-src 'self'` refuses.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  server: { proxy: { "/api": server, "/v1": server } },
  test: { include: ["tests/**/*.test.{ts,tsx}"] },
});
