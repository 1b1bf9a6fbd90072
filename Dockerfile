# The Node host with the default model:
#   docker build -t seedling .
#   docker run -p 8787:8787 -e API_KEYS=NAME:HASH seedling
# `npm run key` makes a key and its hash; without API_KEYS (or ACCESS=open) it does not start.
# RUNTIME=onnx needs `--build-arg OPTIONAL_PACKAGES=onnxruntime-web`, and RUNTIME=webgpu "onnxruntime-web webgpu".

FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY . .
RUN npm run build && rm -r src/convert

FROM node:24-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev
ARG OPTIONAL_PACKAGES=""
# --save-prod: npm would count them as development packages and leave them out.
RUN for name in $OPTIONAL_PACKAGES; do echo "$name@$(npm pkg get "peerDependencies.$name" | tr -d '"')"; done \
  | xargs --no-run-if-empty npm install --omit=dev --no-save --save-prod

FROM node:24-slim
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8787 MODELS_DIR=dist/assets/models
COPY package.json LICENSE ./
COPY --from=packages /app/node_modules node_modules
COPY --from=build /app/build build
COPY --from=build /app/dist/assets dist/assets
COPY --from=build /app/src src
USER node
EXPOSE 8787
# The model loads in a second or two; until then, and while it stops, the host says 503.
HEALTHCHECK --start-period=30s CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# No shell in between: SIGTERM reaches the host, which finishes what it is answering.
CMD ["node", "src/hosts/node/main.ts"]
