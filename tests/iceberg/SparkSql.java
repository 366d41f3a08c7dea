import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import org.apache.spark.sql.SparkSession;

/** Runs each line of standard input as SQL, on the Iceberg catalog of a folder, and prints its rows as a line of JSON. */
public class SparkSql {
    public static void main(String[] arguments) throws Exception {
        String folder = arguments[0];
        String catalog = "spark.sql.catalog.default";
        SparkSession spark = SparkSession.builder()
            .master("local[1]")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.local.dir", folder + "/spark")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
            // The name stands in the rows of the catalog's file.
            .config(catalog, "org.apache.iceberg.spark.SparkCatalog")
            .config(catalog + ".type", "jdbc")
            .config(catalog + ".uri", "jdbc:sqlite:" + folder + "/catalog.db")
            .config(catalog + ".jdbc.schema-version", "V1")
            .config(catalog + ".warehouse", "file://" + folder)
            .getOrCreate();
        BufferedReader statements = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String sql = statements.readLine(); sql != null; sql = statements.readLine()) {
            System.out.println(spark.sql(sql).toJSON().collectAsList());
        }
        spark.stop();
    }
}
