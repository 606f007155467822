// Shows the OpenAPI document with Redoc.
Redoc.init(
  "/openapi.json",
  { hideDownloadButton: false, expandResponses: "200,202", jsonSampleExpandLevel: 3 },
  document.getElementById("redoc"),
);
