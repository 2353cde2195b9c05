import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.opensearch.common.settings.Settings;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.transport.Netty4Plugin;

/** One node of OpenSearch: Server FOLDER HTTP-PORT LARGEST-REQUEST. It has no security plugin, and so no users. */
public class Server {
  static class Single extends Node {
    Single(Settings settings, Path home) {
      super(
          InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), home.resolve("config"), () -> "test"),
          List.of(Netty4Plugin.class),
          false);
    }
  }

  public static void main(String[] args) throws Exception {
    Settings settings =
        Settings.builder()
            .put("path.home", args[0])
            .put("cluster.name", "test")
            .put("node.name", "test")
            .put("network.host", "127.0.0.1")
            .put("http.port", args[1])
            .put("http.max_content_length", args[2])
            .put("http.type", "netty4")
            .put("transport.type", "netty4")
            .put("transport.port", "0")
            .put("discovery.type", "single-node")
            .put("cluster.routing.allocation.disk.threshold_enabled", false) // CI's disks are often nearly full
            .build();
    new Single(settings, Path.of(args[0])).start();
    Thread.currentThread().join();
  }
}
